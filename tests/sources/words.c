enum { LETTER, DIGIT, SPACE, OTHER, KINDS };

static int kind_of(unsigned char c) {
    if (c >= '0' && c <= '9')
        return DIGIT;
    unsigned char low = c | 32;
    if (low >= 'a' && low <= 'z')
        return LETTER;
    return c == ' ' || c == '\n' ? SPACE : OTHER;
}

/* Counts the runs of letters and of digits in a text, and single other signs. */
__attribute__((noinline)) void count(const char *text, unsigned *found) {
    int before = SPACE;
    for (; *text; text++) {
        int kind = kind_of((unsigned char)*text);
        if (kind >= SPACE || kind != before)
            found[kind]++;
        before = kind;
    }
}

/* Nobody asks for a negative scale: that branch does not run. */
__attribute__((noinline)) unsigned weight(const unsigned *found, int scale) {
    unsigned sum = 0;
    if (scale < 0) {
        for (int i = 0; i < KINDS; i++)
            sum -= found[i] / 3;
        return sum * (unsigned)-scale;
    }
    for (int i = 0; i < KINDS; i++)
        sum += found[i] * (unsigned)(i + scale);
    return sum;
}

int main(void) {
    unsigned found[KINDS] = {0};
    for (int round = 0; round < 40; round++)
        count("In 1971 two people wrote 4096 lines: 3 were wrong, 12 of them never ran.\n", found);
    return weight(found, 2) == 0;
}
