/* Maps without names: for every connection of the library they reproduce what its text does. */
#include "pass/maps.h"
#include "sema_model.h"

/* A network of sites, each by itself: what they find and make are outputs beside their maps. */
static Model maps_open(const char *text) {
    Model m = {.c = compilation_create(), .samples = 1, .positions = 1};
    const uint32_t file = source_add(m.c->sources, "test.hc", text, strlen(text));
    const SemaOptions options = {.maps = true};
    m.network = sema_check(m.c, parse_file(m.c, file), &options);
    if (!m.network)
        diag_render_text(m.c->diagnostics, stdout, false);
    assert_non_null(m.network);
    TirProgram *p = m.network->program;
    p->outputs.count = 0;
    for (uint32_t k = 0; k < m.network->sites.count; k++) {
        const SiteInfo *site = &m.network->sites.at[k];
        const SiteValueList *const lists[] = {&site->states, &site->results, &site->reads,
                                              &site->written};
        for (uint32_t l = 0; l < 4; l++)
            for (uint32_t v = 0; v < lists[l]->count; v++)
                tir_add_output(p, TIR_OUT_NAMED, arena_printf(m.c->arena, "%u.%u.%u", k, l, v), 0,
                               lists[l]->at[v].value);
    }
    pass_maps(m.network);
    p = m.network->program;
    const char *wrong = tir_verify(p);
    if (wrong)
        fail_msg("%s", wrong);
    m.params = ARENA_ARRAY(m.c->arena, double *, p->params.count + 1);
    m.inputs = ARENA_ARRAY(m.c->arena, double *, p->inputs.count + 1);
    for (uint32_t k = 0; k < p->params.count; k++) {
        m.params[k] = ARENA_ARRAY(m.c->arena, double, tir_element_count(&p->params.at[k].type));
        fill_param(&p->params.at[k], k, m.params[k]);
    }
    for (uint32_t k = 0; k < p->inputs.count; k++) {
        const uint64_t count = tir_element_count(&p->inputs.at[k].type);
        m.inputs[k] = ARENA_ARRAY(m.c->arena, double, 4 * count);
        for (uint64_t i = 0; i < 4 * count; i++)
            m.inputs[k][i] = wave(k + 50, i);
    }
    return m;
}

/* Values of a list of a site, one behind the other. */
static const double *values_of(const Model *m, uint32_t site, uint32_t list, uint64_t *count) {
    const SiteInfo *s = &m->network->sites.at[site];
    const SiteValueList *const lists[] = {&s->states, &s->results, &s->reads, &s->written};
    double *all = ARENA_ARRAY(m->c->arena, double, 1 << 14);
    *count = 0;
    for (uint32_t v = 0; v < lists[list]->count; v++) {
        const TirTensor *t =
            run(m, TIR_OUT_NAMED, arena_printf(m->c->arena, "%u.%u.%u", site, list, v));
        memcpy(all + *count, t->at, tir_element_count(&t->type) * sizeof *all);
        *count += tir_element_count(&t->type);
    }
    return all;
}

/* [to][c] += map[to][from] of[from][c] */
static void add_mapped(const Model *m, const SiteMap *map, uint32_t to, uint32_t from,
                       const double *of, uint64_t width, double *sum) {
    const TirTensor *t = run(m, TIR_OUT_PROBE, map->mean);
    assert_int_equal(t->type.dims[0], to);
    assert_int_equal(t->type.dims[1], from);
    for (uint32_t k = 0; k < to; k++)
        for (uint32_t j = 0; j < from; j++)
            for (uint64_t c = 0; c < width; c++)
                sum[k * width + c] += t->at[k * from + j] * of[j * width + c];
}

/* How far x is from s u + t, for the best s and t: 0 where it is u with a norm, whichever. */
static double off_line(uint64_t n, const double *x, const double *u) {
    double mu = 0, mx = 0, uu = 0, ux = 0, worst = 0;
    for (uint64_t c = 0; c < n; c++) {
        mu += u[c] / (double)n;
        mx += x[c] / (double)n;
    }
    for (uint64_t c = 0; c < n; c++) {
        uu += (u[c] - mu) * (u[c] - mu);
        ux += (u[c] - mu) * (x[c] - mx);
    }
    for (uint64_t c = 0; c < n; c++)
        worst = fmax(worst, fabs(x[c] - mx - ux / uu * (u[c] - mu)));
    return worst;
}

static void check_read(const Model *m, uint32_t site, uint64_t width, const double *H) {
    const SiteMaps *maps = &m->network->maps.at[site];
    uint64_t count;
    const double *x = values_of(m, site, 2, &count);
    double *u = ARENA_ARRAY(m->c->arena, double, count);
    add_mapped(m, &maps->read, maps->reads.count, maps->streams.count, H, width, u);
    const SiteValueList *reads =
        &m->network->sites.at[site].reads; /* each with a norm of its own */
    const uint64_t each = strcmp(reads->at[0].name, "xs") == 0 ? width : count / reads->count;
    for (uint64_t at = 0; at < count; at += each)
        assert_near(off_line(each, x + at, u + at), 0, 1e-9);
}

static void check_written(const Model *m, uint32_t site, uint64_t width, const double *H) {
    const SiteMaps *maps = &m->network->maps.at[site];
    uint64_t n_after, n_results;
    const double *after = values_of(m, site, 3, &n_after), *y = values_of(m, site, 1, &n_results);
    double *sum = ARENA_ARRAY(m->c->arena, double, n_after);
    add_mapped(m, &maps->mix, maps->written.count, maps->streams.count, H, width, sum);
    add_mapped(m, &maps->write, maps->written.count, maps->results.count, y, width, sum);
    for (uint64_t k = 0; k < n_after; k++)
        assert_near(sum[k], after[k], 1e-9);
}

/* Every site's streams after are its maps of the streams before and of the branch's result, and its
 * branch reads, up to a norm, the read map of the streams. After some sites the streams are
 * independent vectors, so that no other maps would do. */
static uint32_t check_sites(const Model *m) {
    uint32_t checked = 0;
    for (uint32_t site = 0; site < m->network->sites.count; site++) {
        const SiteMaps *maps = &m->network->maps.at[site];
        uint64_t count;
        const double *H = values_of(m, site, 0, &count);
        if (!maps->read.why)
            check_read(m, site, count / maps->streams.count, H);
        if (!maps->mix.why && !maps->write.why) {
            check_written(m, site, count / maps->streams.count, H);
            checked++;
        }
    }
    return checked;
}

/* Library connections, where a use of them says more than their name. */
static const char *const uses[][3] = {
    {"hyper_connections_inputs", "hyper_connections_inputs(Z)", "joined"},
    {"hyper_connections_branches", "hyper_connections_branches", "bend & bend"},
    {"xhc", "xhc(active = 3)", "bend"},
    {"deep_norm", "deep_norm(norm = rmsnorm)",
     "bend"}, /* a mean over features is no map of streams */
    {"resi_dual", "resi_dual(norm = rmsnorm)", "bend"},
    {"siamese_norm", "siamese_norm(ln = rmsnorm)", "bend"},
};
/* Whose weights may differ from feature to feature, where maps say their mean: all features get
 * the same. */
static const char *const by_feature[] = {"layer_scale", "peri_ln", "gated_streams", "ngpt",
                                         "highway"};
/* Whose own weights go from feature to feature, unless they are those at the beginning. */
static const char *const at_first[] = {"laurel", "laurel_pa"};
/* And where there is no map, why. */
static const struct {
    const char *connection, *read, *mix, *write;
} without[] = {
    {"gru_residual", NULL, NULL, "held fixed"},
    {"mv_split_residual", NULL, "other positions (`attend`", "other positions (`attend`"},
    {"xhc", NULL, NULL, "other positions (`shift`"},
};

/* The sites of odd place are of another connection. */
static const char *model_of_two(Arena *arena, const char *connection, const char *branch,
                                const char *second) {
    return arena_printf(
        arena,
        "use std;\n"
        "model m { const d = 12, n = 4; positions t <= 3; input a[t, d] : real;\n"
        "  param V[n, d] ~ normal(0.3); let Z[i, c] = V[i,c] * a[c]; let x[c] = a[c] + V[0,c];\n"
        "  let h = trunk(x) { repeat 4 { p = %s : %s; q = %s : %s; } };\n"
        "  loss sum[c] h[c]; }\n"
        "branch bend : x[d] -> y[d] { param W[d, d] ~ normal(0.3); let y[c] = tanh(sum[a] W[c,a] * "
        "x[a]); }\n"
        "branch joined : x[d], z[e] -> y[d] { param W[d, d], U[d, e] ~ normal(0.3);\n"
        "  let y[c] = tanh((sum[a] W[c,a] * x[a]) + (sum[a] U[c,a] * z[a])); }\n",
        connection, branch, second, branch);
}

static const char *model_of(Arena *arena, const char *connection, const char *branch) {
    return model_of_two(arena, connection, branch, connection);
}

static void expect_why(const char *connection, const char *what, const SiteMap *map,
                       const char *why) {
    if (!why != !map->why || (why && !strstr(map->why, why)))
        fail_msg("%s: its %s map: %s", connection, what, map->why ? map->why : "there is one");
}

static bool is_among(const char *const *names, size_t count, const char *name) {
    bool found = false;
    for (size_t k = 0; k < count; k++)
        found |= strcmp(names[k], name) == 0;
    return found;
}

/* Values that are not those at the beginning, but for what a map of streams does not tell: what
 * goes from feature to feature. */
static void disturb(Model *m, const char *connection) {
    const TirProgram *p = m->network->program;
    const bool alike = is_among(by_feature, sizeof by_feature / sizeof *by_feature, connection);
    if (is_among(at_first, sizeof at_first / sizeof *at_first, connection))
        return;
    for (uint32_t k = 0; k < p->params.count; k++) {
        const bool same = alike && strstr(p->params.at[k].name, ".hc.");
        for (uint64_t i = 0; i < tir_element_count(&p->params.at[k].type); i++)
            m->params[k][i] = same ? 0.1 * wave(k + 7, 0) : m->params[k][i] + 0.4 * wave(k + 7, i);
    }
}

static void check_connection(const char *name) {
    const char *connection = name, *branch = "bend", *read = NULL, *mix = NULL, *write = NULL;
    for (uint32_t k = 0; k < sizeof uses / sizeof *uses; k++)
        if (strcmp(uses[k][0], name) == 0) {
            connection = uses[k][1];
            branch = uses[k][2];
        }
    for (uint32_t k = 0; k < sizeof without / sizeof *without; k++)
        if (strcmp(without[k].connection, name) == 0) {
            read = without[k].read;
            mix = without[k].mix;
            write = without[k].write;
        }
    Compilation *scratch = compilation_create();
    Model m = maps_open(model_of(scratch->arena, connection, branch));
    disturb(&m, name);
    const SiteMaps *last = &m.network->maps.at[m.network->sites.count - 1];
    expect_why(name, "read", &last->read, read);
    expect_why(name, "mixing", &last->mix, mix);
    expect_why(name, "write", &last->write, write);
    const uint32_t checked = check_sites(&m);
    if (!mix && !write)
        assert_int_equal(checked, m.network->sites.count);
    model_close(&m);
    compilation_destroy(scratch);
}

static void test_library(void **state) {
    (void)state;
    Compilation *c = compilation_create();
    uint32_t count, connections = 0;
    const StdDefinition *all = std_definitions(c, &count);
    for (uint32_t k = 0; k < count; k++)
        if (strcmp(all[k].kind, "connection") == 0) {
            check_connection(all[k].name);
            connections++;
        }
    assert_true(connections >= 34);
    compilation_destroy(c);
}

/* Streams that are parts of the width, and a connection of one stream among several. */
static void test_parts(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    static const char *const pairs[][2] = {
        {"hyper_connections(fracs = 2)", "hyper_connections(fracs = 2)"},
        {"mhc_v2(fracs = 3)", "mhc_v2(fracs = 3)"},
        {"mhar(depth_heads = 3)", "attnres"},
        {"dhc", "postnorm"},
        {"mhc", "residual"},
    };
    for (uint32_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        Model m = maps_open(model_of_two(scratch->arena, pairs[k][0], "bend", pairs[k][1]));
        disturb(&m, pairs[k][0]);
        assert_int_equal(check_sites(&m), 8);
        if (k == 0)
            assert_string_equal(m.network->maps.at[0].streams.at[3], "H[1].1");
        model_close(&m);
    }
    compilation_destroy(scratch);
}

static double entry(const Model *m, const SiteMap *map, uint32_t k) {
    if (map->why)
        fail_msg("%s", map->why);
    return run(m, TIR_OUT_PROBE, map->mean)->at[k];
}

/* The maps' entries are those that the text has, also where they are the same everywhere. */
static void test_entries(void **state) {
    (void)state;
    Compilation *scratch = compilation_create();
    Model m = maps_open(model_of(scratch->arena, "shc", "bend"));
    const SiteMaps *maps = &m.network->maps.at[3];
    assert_null(maps->mix.variance);
    double *Ar = param_named(&m, "trunk.1.q.hc.Ar", NULL);
    for (uint32_t k = 0; k < 16; k++)
        Ar[k] = wave(3, k);
    for (uint32_t k = 0; k < 16; k++)
        assert_near(entry(&m, &maps->mix, k), wave(3, k), 0);
    assert_string_equal(maps->streams.at[2], "H[2]");
    assert_string_equal(maps->reads.at[0], "x");
    assert_string_equal(maps->results.at[0], "bend");
    model_close(&m);
    m = maps_open(model_of(scratch->arena, "mhc", "bend"));
    assert_non_null(m.network->maps.at[0].mix.variance);
    model_close(&m);
    compilation_destroy(scratch);
}

/* A connection of the user's own, around `bend`. */
static Model own_open(const char *body) {
    Compilation *scratch = compilation_create();
    Model m = maps_open(arena_printf(scratch->arena, "%sconnection own(norm = rmsnorm) { %s }\n",
                                     model_of(scratch->arena, "own", "bend"), body));
    compilation_destroy(scratch);
    return m;
}

static void test_own(void **state) {
    (void)state;
    /* features of different weights: their mean; a norm and gain at the end of the read: left out
     */
    Model m = own_open("state h[d]; param a[d] = 1; param g = 0.5; begin h = x;"
                       " let z[c] = a[c] * norm(h)[c]; read x = z;"
                       " write h[c] = a[c] * h[c] + g * y[c]; end x = h;");
    double *a = param_named(&m, "trunk.1.p.hc.a", NULL);
    for (uint32_t c = 0; c < 12; c++)
        a[c] = c;
    assert_near(entry(&m, &m.network->maps.at[2].mix, 0), 5.5, 1e-12);
    assert_near(entry(&m, &m.network->maps.at[2].read, 0), 1, 0);
    assert_near(entry(&m, &m.network->maps.at[2].write, 0), 0.5, 0);
    model_close(&m);
    /* the norm of another stream is no norm of what is read: its factor counts */
    m = own_open("state H[2, d]; begin H[i,c] = (1 + i) * x[c]; let r = rsqrt(mean[c] H[1,c]^2);"
                 " let u[c] = r * H[0,c]; read x = u; write H[k,c] = H[1 - k,c] + y[c];"
                 " let s[c] = H[0,c]; end x = s;");
    const double *H = values_of(&m, 0, 0, &(uint64_t){0});
    double square = 0;
    for (uint32_t c = 0; c < 12; c++)
        square += H[12 + c] * H[12 + c] / 12;
    assert_near(entry(&m, &m.network->maps.at[0].read, 0), 1 / sqrt(square), 1e-12);
    assert_near(entry(&m, &m.network->maps.at[0].mix, 1), 1, 0);
    check_sites(&m);
    model_close(&m);
    /* streams in any order and place, and an entry that grows */
    m = own_open("state X[depth, d], h[d]; begin X[0,c] = x[c]; begin h[c] = 2 * x[c];"
                 " let u[c] = h[c] + X[depth - 1,c]; read x = norm(u); append X[c] = h[c] - y[c];"
                 " write h[c] = X[0,c] - h[c]; end x = h;");
    assert_int_equal(m.network->maps.at[2].streams.count, 4);
    assert_string_equal(m.network->maps.at[2].written.at[3], "X[3]");
    assert_int_equal(check_sites(&m), 8);
    model_close(&m);
}

/* What has another width than the state is no stream, whatever is made of it. */
static void test_aside(void **state) {
    (void)state;
    Model m = own_open("state h[d], k[5]; begin h = x, k[a] = 1 + a; let u[c] = k[2] * h[c];"
                       " read x = norm(u); write h[c] = k[1] * h[c] + 2 * y[c], k[a] = 0.5 * k[a];"
                       " end x = h;");
    const SiteMaps *maps = &m.network->maps.at[1];
    assert_int_equal(maps->streams.count, 1);
    assert_int_equal(maps->written.count, 1);
    assert_near(entry(&m, &maps->mix, 0), 1, 0); /* 2, halved once */
    assert_near(entry(&m, &maps->write, 0), 2, 0);
    assert_int_equal(check_sites(&m), 8);
    model_close(&m);
    Compilation *scratch = compilation_create();
    m = maps_open(model_of(scratch->arena, "resformer(heads = 4, kv_heads = 2)",
                           "attention_values(4, kv_heads = 2)"));
    for (uint32_t k = 0; k < m.network->maps.count; k++) {
        assert_int_equal(m.network->maps.at[k].streams.count, 1);
        assert_near(entry(&m, &m.network->maps.at[k].read, 0), 1, 0);
        assert_near(entry(&m, &m.network->maps.at[k].write, 0), 1, 0);
    }
    assert_null(m.network->maps.at[7].end.why);
    model_close(&m);
    compilation_destroy(scratch);
}

static void expect_own(const char *write, const char *why) {
    Compilation *scratch = compilation_create();
    Model m = own_open(arena_printf(
        scratch->arena, "state h[d]; begin h = x; read x = norm(h); %s end x = h;", write));
    expect_why(write, "mixing", &m.network->maps.at[1].mix, why);
    model_close(&m);
    compilation_destroy(scratch);
}

/* Where there is no map, the reason and its place. */
static void test_none(void **state) {
    (void)state;
    expect_own("write h[c] = tanh(h[c]) + y[c];", "one by one, and not as a sum (`tanh`, test.hc:");
    expect_own("write h[c] = h[c] * h[c] + y[c];", "multiplied with each other (`mul`");
    expect_own("write h[c] = h[d - 1 - c] + y[c];", "another order or from other places (`take`");
    expect_own("let w = window(h, 2); write h[c] = w[0,c] + y[c];", "other positions (`shift`");
    expect_own("write h[c] = y[c] / h[c];", "one by one");
    expect_own("write h[c] = select(h[c] > 0, h[c], 0) + y[c];", "one by one");
    expect_own("let s = sum[c] h[c]; write h[c] = s * y[c];", "held fixed");
    /* what has no features does no harm */
    expect_own("let s = tanh(sum[c] h[c] * y[c]); write h[c] = s * h[c] + y[c];", NULL);
    expect_own("let s = max[c] h[c]; write h[c] = h[c] - s + y[c];", NULL);
    expect_own("write h[c] = y[c];", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_library), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_entries), cmocka_unit_test(test_own),
        cmocka_unit_test(test_none),    cmocka_unit_test(test_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
