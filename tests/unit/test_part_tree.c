/* The tree of a batch's parts: what ranks add up is what one process adds up, term by term. */
#include "runtime/ranks/part_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_PARTS = 64, TEXT_BYTES = 4096 };

typedef struct {
    HcPartNode node;
    char text[TEXT_BYTES]; /* (0+1) */
} Term;

static Term terms[2 * MOST_PARTS];

static void join(Term *later, const Term *earlier) {
    char text[2 * TEXT_BYTES + 8];
    snprintf(text, sizeof text, "(%s+%s)", earlier->text, later->text);
    assert_true(strlen(text) < TEXT_BYTES);
    memcpy(later->text, text, strlen(text) + 1);
    later->node = (HcPartNode){earlier->node.first, later->node.level + 1};
}

/* Adds a term to those that wait; in the end all of them. */
static uint32_t add(uint32_t waiting, Term term, bool last) {
    for (; waiting > 0 && (last || hc_part_pair(terms[waiting - 1].node, term.node)); waiting--)
        join(&term, &terms[waiting - 1]);
    terms[waiting] = term;
    return waiting + 1;
}

static Term leaf(int64_t part) {
    Term term = {.node = {part, 0}};
    snprintf(term.text, sizeof term.text, "%lld", (long long)part);
    return term;
}

/* What hc.h's words say, of the count alone: neighbours of equal size, then from the last on. */
static void expected(int64_t parts, char *text) {
    uint32_t waiting = 0;
    for (int64_t k = 0; k < parts; k++)
        waiting = add(waiting, leaf(k), k + 1 == parts);
    assert_int_equal(waiting, 1);
    memcpy(text, terms[0].text, TEXT_BYTES);
}

/* What a rank's own parts come to, as the nodes that the others are told of. */
static void check_nodes(int64_t first, int64_t end, Term *to, uint32_t *count) {
    HcPartNode nodes[HC_PART_NODES];
    uint32_t waiting = 0;
    for (int64_t k = first; k < end; k++) {
        assert_int_equal(hc_part_nodes(first, k, nodes), waiting);
        waiting = add(waiting, leaf(k), false);
    }
    assert_int_equal(hc_part_nodes(first, end, nodes), waiting);
    for (uint32_t k = 0; k < waiting; k++) {
        assert_int_equal(terms[k].node.first, nodes[k].first);
        assert_int_equal(terms[k].node.level, nodes[k].level);
        to[(*count)++] = terms[k];
    }
}

/* Whatever place sums are made in, they are those of one process; and what is sent. */
static void check_ways(const int64_t *bounds, int64_t parts, int32_t ranks, const Term *leaves,
                       const char *whole) {
    HcPartWays ways;
    assert_int_equal(hc_part_ways(bounds, ranks, &ways, NULL), HC_OK);
    const uint32_t terms_of = hc_part_terms(&ways);
    const bool powers = (ranks & (ranks - 1)) == 0 && (parts & (parts - 1)) == 0;
    uint32_t *sent = calloc((size_t)ranks, sizeof *sent);
    Term *made = calloc(terms_of, sizeof *made);
    assert_int_equal(ways.n_sums + 1, ways.n_leaves);
    memcpy(made, leaves, ways.n_leaves * sizeof *made);
    for (uint32_t k = 0; k < ways.n_sums; k++) {
        assert_true(ways.sums[k].earlier < ways.n_leaves + k);
        assert_true(ways.sums[k].later < ways.n_leaves + k);
        made[ways.n_leaves + k] = made[ways.sums[k].later];
        join(&made[ways.n_leaves + k], &made[ways.sums[k].earlier]);
    }
    assert_string_equal(made[terms_of - 1].text, whole);
    for (int32_t owner = 0; owner < ranks; owner++) {
        for (uint32_t t = 0; t < ways.n_leaves; t++)
            assert_int_equal(hc_part_place(&ways, owner, t), ways.rank[t]);
        for (uint32_t t = ways.n_leaves; t < terms_of; t++) {
            const HcPartSum *sum = &ways.sums[t - ways.n_leaves];
            const int32_t place = hc_part_place(&ways, owner, t);
            const int32_t earlier = hc_part_place(&ways, owner, sum->earlier),
                          later = hc_part_place(&ways, owner, sum->later);
            sent[earlier] += earlier != place;
            sent[later] += later != place;
        }
        const int32_t root = hc_part_place(&ways, owner, terms_of - 1);
        sent[root] += root != owner;
    }
    for (int32_t r = 0; r < ranks; r++) {
        assert_int_equal(sent[r], ways.sent[r]);
        assert_true(sent[r] <= (powers ? 1u : 3u) * (uint32_t)(ranks - 1));
    }
    hc_part_ways_free(&ways);
    free(sent);
    free(made);
}

static void check(int64_t parts, int32_t ranks, const char *whole) {
    int64_t bounds[MOST_PARTS + 1];
    Term *all = calloc(2 * MOST_PARTS, sizeof *all);
    const int64_t equal = (parts + ranks - 1) / ranks;
    uint32_t count = 0;
    assert_int_equal(hc_part_bounds(parts, ranks, bounds, NULL), HC_OK);
    assert_int_equal(bounds[0], 0);
    assert_int_equal(bounds[ranks], parts);
    for (int32_t r = 0; r < ranks; r++) {
        const int64_t mine = bounds[r + 1] - bounds[r];
        assert_true(mine >= 1 && mine <= equal + equal / 8);
        check_nodes(bounds[r], bounds[r + 1], all, &count);
    }
    check_ways(bounds, parts, ranks, all, whole);
    free(all);
}

static void test_trees(void **state) {
    (void)state;
    char whole[TEXT_BYTES];
    for (int64_t parts = 1; parts <= MOST_PARTS; parts++) {
        expected(parts, whole);
        for (int32_t ranks = 2; ranks <= parts; ranks++)
            check(parts, ranks, whole);
    }
}

static void test_known(void **state) {
    (void)state;
    char whole[TEXT_BYTES];
    expected(7, whole);
    assert_string_equal(whole, "(((0+1)+(2+3))+((4+5)+6))");
    int64_t bounds[5];
    assert_int_equal(hc_part_bounds(8, 4, bounds, NULL), HC_OK);
    assert_memory_equal(bounds, ((int64_t[]){0, 2, 4, 6, 8}), sizeof bounds);
}

/* Where nothing is chosen. */
static void test_many_ranks(void **state) {
    (void)state;
    enum { RANKS = 200, PARTS = 512 };
    int64_t bounds[RANKS + 1];
    HcPartWays ways;
    assert_int_equal(hc_part_bounds(PARTS, RANKS, bounds, NULL), HC_OK);
    assert_int_equal(hc_part_ways(bounds, RANKS, &ways, NULL), HC_OK);
    for (int32_t owner = 0; owner < RANKS; owner++)
        for (uint32_t t = 0; t < hc_part_terms(&ways); t++)
            assert_int_equal(hc_part_place(&ways, owner, t),
                             t < ways.n_leaves ? ways.rank[t] : owner);
    hc_part_ways_free(&ways);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_trees), cmocka_unit_test(test_known),
                                       cmocka_unit_test(test_many_ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
