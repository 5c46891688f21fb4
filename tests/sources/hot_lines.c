#include <stdio.h>
#include <stdlib.h>
#include "mix.h"

#define SIZE 4096

/* Fills the table; the division is the expensive line. */
static void fill(unsigned *table, int n) {
    for (int i = 0; i < n; i++) {
        unsigned v = (unsigned)i * 2654435761u;
        table[i] = v % (unsigned)(i + 7);
    }
}

static unsigned digest(const unsigned *table, int n) {
    unsigned h = 2166136261u;
    for (int i = 0; i < n; i++)
        h = mix(h, table[i]);
    return h;
}

static int depth(int n) {
    if (n == 0)
        return 0;
    return 1 + depth(n - 1);
}

int main(void) {
    unsigned *table = malloc(SIZE * sizeof *table);
    unsigned sum = 0;
    fill(table, SIZE);
    for (int round = 0; round < 3; round++)
        sum += digest(table, SIZE);
    printf("%u %d\n", sum, depth(50));
    free(table);
    return 0;
}
