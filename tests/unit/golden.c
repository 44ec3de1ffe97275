/* Golden bytes from hex text. See golden.h. */
#include "golden.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

size_t golden_parse(const char *hex, uint8_t *bytes, size_t cap)
{
    size_t n = 0;
    while (*hex) {
        if (*hex == '#')
            hex += strcspn(hex, "\n");
        else if (isspace((unsigned char)*hex))
            hex++;
        else {
            assert_true(n < cap);
            assert_true(isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]));
            bytes[n++] = (uint8_t)strtoul((char[]){hex[0], hex[1], 0}, NULL, 16);
            hex += 2;
        }
    }
    return n;
}

size_t golden_load(const char *name, uint8_t *bytes, size_t cap)
{
    char path[512], text[16384];
    snprintf(path, sizeof path, "%s/golden/%s", TESTS_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s", path);
    size_t n = fread(text, 1, sizeof text - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(n < sizeof text - 1);
    text[n] = 0;
    return golden_parse(text, bytes, cap);
}
