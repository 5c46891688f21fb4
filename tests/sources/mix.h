/* A hash step, inlined into its callers. */
static inline unsigned mix(unsigned h, unsigned v) {
    h ^= v;
    h *= 16777619u;
    return h ^ (h >> 13);
}
