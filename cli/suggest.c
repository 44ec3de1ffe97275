/* The distance is Damerau's in the restricted form: a pair of letters is swapped once and not edited again. */
#include "suggest.h"

#include <string.h>

#define LONGEST 80

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t na = strlen(a), nb = strlen(b);

    if (na > LONGEST || nb > LONGEST)
        return SUGGEST_FAR;
    for (size_t j = 0; j <= nb; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[nb];
}

void suggest_consider(struct suggest *s, const char *candidate)
{
    size_t limit = strlen(s->typed) / 3;
    size_t distance = suggest_distance(s->typed, candidate);

    if (distance > (limit ? limit : 1) || (s->best && distance >= s->distance))
        return;
    s->best = candidate;
    s->distance = distance;
}
