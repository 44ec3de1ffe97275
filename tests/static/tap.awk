# Reads `ctest -V` over cmocka programs that print TAP; prints one line a program, its output when it failed, and the reason of every
# case skipped. Appends "passed failed skipped" to the file `counts`. A program that ends badly without a failed case (it
# crashed, hung, or its sanitizer spoke) is one failure by its own name; one that prints no TAP is one case.

/^[0-9]+: / {
    id = $0
    sub(/:.*/, "", id)
    line = substr($0, length(id) + 3)
    output[id] = output[id] "      | " line "\n"
    if (line ~ /^ok [0-9]+/) {
        passed[id]++
    } else if (line ~ /^not ok [0-9]+ # SKIP/) {
        sub(/^not ok [0-9]+ # SKIP */, "", line)
        skips[id] = skips[id] "skip  " line (why[id] != "" ? ": " why[id] : "") "\n"
        skipped[id]++
        why[id] = ""
    } else if (line ~ /^not ok /) {
        failed[id]++
    } else if (line ~ /^# skip: /) {
        why[id] = substr(line, 9)
    }
}

/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    id = $0
    sub(/^[^#]*#/, "", id)
    sub(/:.*/, "", id)
    name = $0
    sub(/^[^#]*#[0-9]+: */, "", name)
    sub(/[ .*].*/, "", name)
    well = $0 ~ / Passed +[0-9.]+ sec/
    how = $0
    sub(/ +[0-9.]+ sec.*/, "", how)
    sub(/.*\*\*\*/, "", how)
    seconds = $(NF - 1)

    if (!passed[id] && !failed[id] && !skipped[id] && well)
        passed[id] = 1
    if (!well && !failed[id]) {
        failed[id] = 1
        output[id] = output[id] "      | the program ended badly: " how "\n"
    }
    if (failed[id])
        printf "%s", output[id]
    printf "%s", skips[id]
    printf "%-5s %s %s: %d passed", failed[id] ? "FAIL" : "ok", preset, name, passed[id]
    if (failed[id])
        printf ", %d failed", failed[id]
    if (skipped[id])
        printf ", %d skipped", skipped[id]
    printf " (%s s)\n", seconds
    fflush()
    print passed[id] + 0, failed[id] + 0, skipped[id] + 0 >> counts
}
