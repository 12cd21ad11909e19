/* Tables: how text becomes fields, which line is a header, how files go together, which numbers an
 * input can hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "runtime/data/samples.h"
#include "runtime/data/table_text.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- records -----------------------------------------------------------------------------------*/

/* All fields, `|` between them and a line end after each record; or the error's message. */
static void dump(const char *text, size_t size, char separator, char *to, size_t room) {
    HcTableText t;
    HcError error = {0};
    bool any = true;
    size_t used = 0;
    char *copy = malloc(size + 1); /* so that a reader that goes beyond is seen */
    memcpy(copy, text, size);
    assert_int_equal(hc_table_begin(&t, "t", copy, size, &error), HC_OK);
    t.separator = separator ? separator : hc_table_guess_separator(&t);
    to[0] = '\0';
    while (hc_table_record(&t, &any) == HC_OK && any) {
        for (int64_t k = 0; k < t.n_fields; k++) {
            char *name = hc_table_name(t.fields[k]);
            used += (size_t)snprintf(to + used, room - used, "%s%s", k ? "|" : "", name);
            free(name);
        }
        used += (size_t)snprintf(to + used, room - used, "@%lld\n", (long long)t.line);
    }
    if (error.message[0])
        snprintf(to, room, "%.500s", error.message);
    hc_table_end(&t);
    free(copy);
}

static void fields_are_those_of_rfc_4180(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
        char separator;
    } cases[] = {
        {"a,b\n1,2\n", "a|b@1\n1|2@2\n", 0},
        {"1,2", "1|2@1\n", 0},
        {"1,2\r\n3,4\r\n", "1|2@1\n3|4@2\n", 0},
        {"1,2\r3,4\r", "1|2@1\n3|4@2\n", 0},
        {"\xef\xbb\xbf"
         "1,2\n",
         "1|2@1\n", 0},
        {"\n\n # no\n#\n1,2\n \n\r\n3,4\n\n", "1|2@5\n3|4@8\n", 0},
        {"", "", 0},
        {"\n# only\n", "", 0},
        {"1,2,\n,\n", "1|2|@1\n|@2\n", 0},
        {" 1 , 2 \n", "1|2@1\n", 0},
        {"1;2,5\n", "1|2,5@1\n", 0},
        {"1,5\t2;5\n", "1,5|2;5@1\n", 0},
        {"\t1\n", "|1@1\n", 0},
        {"1\t\t2\t\n", "1||2|@1\n", 0},
        {"1 2\t3 \n  4 5 6\n", "1 2|3@1\n4 5 6@2\n", 0},
        {"1  2   3 \n  4 5 6\n \t \n", "1|2|3@1\n4|5|6@2\n", 0},
        {"1:2\n", "1|2@1\n", ':'},
        {"\"a\",\"b\"\n", "a|b@1\n", 0},
        {"\"a,;\tb\",c\n", "a,;\tb|c@1\n", 0},
        {"\"a;b\" 1\n", "a;b|1@1\n", 0},
        {"\"a\"\"b\",\"\"\"\",\"\"\n", "a\"b|\"|@1\n", 0},
        {"\"a\nb\",c\n1,2\n", "a\nb|c@1\n1|2@3\n", 0},
        {"\"a\r\nb\",\"c\r\"\r\n1,2\n", "a\r\nb|c\r@1\n1|2@4\n", 0},
        {"\"#a\",b\n", "#a|b@1\n", 0},
        {"\"1\" , \"2\"\n", "1|2@1\n", 0},
        {"\"a b\" \"c\"\n", "a b|c@1\n", ' '},
        {"gr\xf6\xdf"
         "e,\"\xe4\"\n",
         "gr\xc3\xb6\xc3\x9f"
         "e|\xc3\xa4@1\n",
         0},
        {"gr\xc3\xb6\xc3\x9f"
         "e,\xe2\x82\xac\n",
         "gr\xc3\xb6\xc3\x9f"
         "e|\xe2\x82\xac@1\n",
         0},
    };
    char found[600];
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        dump(cases[k].text, strlen(cases[k].text), cases[k].separator, found, sizeof found);
        if (strcmp(found, cases[k].expected) != 0)
            fail_msg("case %zu: %s", k, found);
    }
}

static void other_quoting_is_an_error_with_its_place(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"1,2,3\n\"12\"34,5\n",
         "`t`, line 2, column 1: something follows the closing quote, at `34`"},
        {"1,\"2\"x,3\n", "`t`, line 1, column 2: something follows the closing quote, at `x`"},
        {"1 \"2\"3\n", "`t`, line 1, column 2: something follows the closing quote, at `3`"},
        {"1,\"2\" \"3\"\n",
         "`t`, line 1, column 2: something follows the closing quote, at `\"3\"`"},
        {"1,2\n\n3,\"4\n5,6\n",
         "`t`, line 3, column 2: a quote is opened and not closed, at `\"4`"},
        {"\"", "`t`, line 1, column 1: a quote is opened and not closed, at `\"`"},
        {"\"\"\"", "`t`, line 1, column 1: a quote is opened and not closed, at `\"\"\"`"},
        {"\"a\nb\",\"c\nd\",5\"\n",
         "`t`, line 3, column 3: a quote within a field that does not begin with one, at `\"`"},
        {"1,2\"3\n",
         "`t`, line 1, column 2: a quote within a field that does not begin with one, at `\"3`"},
    };
    char found[600];
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        dump(cases[k][0], strlen(cases[k][0]), 0, found, sizeof found);
        assert_string_equal(found, cases[k][1]);
    }
}

/* Whatever the bytes are, reading ends, stays inside, and takes all or says where it stopped. */
static void any_bytes_are_read_or_refused(void **state) {
    (void)state;
    static const char alphabet[] = "\"\",,;\t \n\r#a1.-\0\xe4";
    char text[24], found[600];
    uint64_t random = 7;
    for (int k = 0; k < 50000; k++) {
        size_t size = 0;
        while (size < sizeof text) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const size_t letter = (size_t)(random >> 40) % sizeof alphabet;
            if (letter == sizeof alphabet - 1 && size)
                break;
            text[size++] = alphabet[letter % (sizeof alphabet - 1)];
        }
        dump(text, size, k % 3 == 0 ? ' ' : 0, found, sizeof found);
    }
}

/* --- files -------------------------------------------------------------------------------------*/

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/hcrt-table-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    for (int k = 0; k < 3; k++) {
        char path[80];
        snprintf(path, sizeof path, "%s/%d", folder, k);
        unlink(path);
    }
    return rmdir(folder);
}

/* A model of inputs `a` and `b`, one number each. */
typedef struct {
    HcInputPlan inputs[2];
    HcBinding bindings[2];
    HcPlan plan;
} Model;

static void set_model(Model *m, uint32_t element_size) {
    memset(m, 0, sizeof *m);
    for (uint32_t k = 0; k < 2; k++) {
        m->inputs[k] = (HcInputPlan){.name = k ? "b" : "a", .domain = HC_SAMPLE, .count = 1};
        m->bindings[k] =
            (HcBinding){.input = k, .stream = "columns", .n_subscripts = 1, .scale = 1};
        m->bindings[k].subscripts[0].base = k;
    }
    m->plan = (HcPlan){.element_size = element_size,
                       .data_source = "table",
                       .table_header = -1,
                       .inputs = m->inputs,
                       .n_inputs = 2,
                       .bindings = m->bindings,
                       .n_bindings = 2};
}

static void by_name(Model *m, const char *a, const char *b) {
    m->bindings[0].subscripts[0] = (HcSubscript){.column = a};
    m->bindings[1].subscripts[0] = (HcSubscript){.column = b};
}

/* Opens the texts as files of the training part; what is said ends in `said`. Without samples:
 * the message in error. */
static HcSamples *open_texts(const Model *m, const char *const *texts, int n, char *said,
                             size_t room, HcError *error) {
    char paths[3][80];
    const char *given[3];
    HcSamples *samples = NULL;
    FILE *notes = fmemopen(said, room, "w");
    for (int k = 0; k < n; k++) {
        snprintf(paths[k], sizeof paths[k], "%s/%d", folder, k);
        FILE *to = fopen(paths[k], "wb");
        fputs(texts[k], to);
        fclose(to);
        given[k] = paths[k];
    }
    const HcDataRequest request = {.given = given, .n_given = n, .trains = true, .notes = notes};
    *error = (HcError){0};
    hc_samples_open(&m->plan, &request, &samples, error);
    fclose(notes);
    return samples;
}

static const double *row_of(const HcSamples *s, int64_t row) {
    return (const double *)(const void *)s->blocks[0].bytes + row * s->n_columns;
}

static void a_header_is_no_number_anywhere(void **state) {
    (void)state;
    static const struct {
        const char *first;
        int header;
        const char *expected; /* of the message or what is said */
    } cases[] = {
        {"x,y", 1, "line 1 names the columns: x, y"},
        {",y", 1, "names the columns: , y"},
        {"1st,2nd", 1, "names the columns: 1st, 2nd"},
        {"x2,\"y,1\"", 1, "names the columns: x2, y,1"},
        {"1,2", 0, "line 1 is taken for a row of numbers, not for names"},
        {"\"1\",\"2\"", 0, "is taken for a row of numbers"},
        {"1,y", -1, "line 1, column 2: `y` is not a number, and a line that is partly numbers"},
        {"x,2019", -1, "line 1, column 1: `x` is not a number, and a line"},
        {"1,", -1, "line 1, column 2 is empty, and a line"},
        {"nan,y", -1, "line 1, column 1: `nan` is not"},
        {"nan,nan", -1, "`nan` is not"},
        {"1,inf", -1, "`inf` is not"},
        {"1,1e999", -1, "`1e999` is not"},
        {"0x10,y", -1, "`0x10` is not"},
        {"1,NA", -1, "`NA` is not"},
        {"1,?", -1, "`?` is not"},
        {"1,1_000", -1, "`1_000` is not"},
        {"$1,2", -1, "column 1: `$1` is not"},
        {"1,12%", -1, "`12%` is not"},
        {"1,1-2", -1, "`1-2` is not"},
        {"1,1f", -1, "`1f` is not"},
        {"1,\" 2 \"", -1, "` 2 ` is not"},
        {"1,\"\"", -1, "column 2 is empty"},
        {"1,2 # note", -1, "`2 # note` is not"},
        {"1,\xe2\x88\x92"
         "2",
         -1,
         "`\xe2\x88\x92"
         "2` is not"},
        {"1,5;2,5", -1, "line 1, column 1: `1,5` has a decimal comma"},
        {"-1,5\ty", -1, "`-1,5` has a decimal comma"},
        {"1\t,5", -1, "`,5` has a decimal comma"},
    };
    Model m;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        for (int later = 0; later < 2; later++) { /* as the first file, and as another */
            char text[80], said[600] = "";
            snprintf(text, sizeof text, "%s\n3%c4\n", cases[k].first,
                     strchr(cases[k].first, '\t')  ? '\t'
                     : strchr(cases[k].first, ';') ? ';'
                                                   : ',');
            const char *texts[2] = {later ? "8,9\n" : text, text};
            HcError error;
            set_model(&m, 4);
            HcSamples *s = open_texts(&m, texts, 1 + later, said, sizeof said, &error);
            if ((s == NULL) != (cases[k].header < 0))
                fail_msg("%s: %s%s", cases[k].first, said, error.message);
            const char *found = s ? said : error.message;
            if ((!later || !s) && !strstr(found, cases[k].expected))
                fail_msg("%s: %s", cases[k].first, found);
            if (s)
                assert_int_equal(s->count, 1 + later + (cases[k].header == 0));
            hc_samples_free(s);
        }
    }
    /* what the model says holds */
    char said[600] = "";
    HcError error;
    set_model(&m, 4);
    m.plan.table_header = 1;
    HcSamples *s =
        open_texts(&m, (const char *[]){"2019,2020\n1,2\n"}, 1, said, sizeof said, &error);
    assert_string_equal(s->columns[1], "2020");
    hc_samples_free(s);
    m.plan.table_header = 0;
    s = open_texts(&m, (const char *[]){"x,2\n1,2\n"}, 1, said, sizeof said, &error);
    assert_null(s);
    assert_non_null(strstr(error.message, "line 1, column 1: `x` is not a number"));
    s = open_texts(&m, (const char *[]){"x,y\n"}, 1, said, sizeof said, &error);
    assert_null(s);
    m.plan.table_header = -1;
    s = open_texts(&m, (const char *[]){"x,y\n"}, 1, said, sizeof said, &error);
    assert_null(s);
    assert_non_null(strstr(error.message, "has no row of numbers"));
}

static void columns_go_by_name_in_every_file(void **state) {
    (void)state;
    static const struct {
        const char *texts[3];
        bool names;           /* the model asks by name */
        const char *expected; /* part of the message; NULL: the last row is 1 2 */
    } cases[] = {
        {{"x,y\n5,6\n", "x,y\n1,2\n"}, true, NULL},
        {{"x,y\n5,6\n", "y,x\n2,1\n"}, true, NULL},
        {{"x,y\n5,6\n", "y,x\n2,1\n"}, false, NULL}, /* columns[0] is the first file's */
        {{"x,y\n5,6\n", "y;x\r\n2;1\r\n", "q\ty\tx\nno\t2\t1\n"}, true, NULL},
        {{"x,y\n5,6\n", "z,\"y\",\"x\"\n,2,1\n"}, true, NULL},
        {{"x,y\n5,6\n", "1,2\n"}, false, NULL},
        {{"5,6\n", "p,q\n1,2\n"}, false, NULL},
        {{"x,y,x\n5,6,7\n", "x,x,y\n1,7,2\n"}, false, NULL}, /* the first x, then the second */
        {{"x,y\n5,6\n", "p,q\n1,2\n"}, true, "/1` has no column `x`, which the table's first file"},
        {{"x,y\n5,6\n", "p,q\n1,2\n"}, false, "/1` has no column `x`"},
        {{"x,y\n5,6\n", "x,q\n1,2\n"},
         true,
         "has no column `y`, which the table's first file has "
         "(its columns: x, q)"},
        {{"x,y\n5,6\n", "y\n2\n"}, true, "has no column `x`"},
        {{"x,y\n5,6\n", "1,2\n"},
         true,
         "/1`, line 1 does not name the columns, so there is no "
         "column `x`"},
        {{"5,6\n", "x,y\n1,2\n"}, true, "have no names, so there is no column `x`"},
        {{"5,6\n", "1,2,3\n"}, false, "/1` has 3 columns, but the files before it have 2"},
        {{"x,y\n5,6\n", "y,x\nb,1\n"}, true, "/1`, line 2, column 1 (`y`): `b` is not a number"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        Model m;
        HcError error;
        char said[600] = "";
        int n = 0;
        while (n < 3 && cases[k].texts[n])
            n++;
        set_model(&m, 8);
        if (cases[k].names)
            by_name(&m, "x", "y");
        HcSamples *s = open_texts(&m, cases[k].texts, n, said, sizeof said, &error);
        if ((s == NULL) != (cases[k].expected != NULL) ||
            (!s && !strstr(error.message, cases[k].expected)))
            fail_msg("case %zu: %s", k, error.message);
        if (s && (row_of(s, n - 1)[0] != 1 || row_of(s, n - 1)[1] != 2))
            fail_msg("case %zu: %g %g", k, row_of(s, n - 1)[0], row_of(s, n - 1)[1]);
        hc_samples_free(s);
    }
}

/* --- values ------------------------------------------------------------------------------------*/

static void numbers_must_be_there_in_the_model_s_precision(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double scale;
        uint32_t size;
        const char *expected; /* NULL: fine */
    } cases[] = {
        {"1,0\n1e39,0\n", 1, 4, "/0`, line 2: `a` would be 1e+39, which f32 cannot hold"},
        {"1,0\n1e39,0\n", 1, 8, NULL},
        {"1,0\n3.4e38,0\n", 1, 4, NULL},
        {"x,y\n1,0\n\n-3.5e38,0\n", 1, 4,
         "line 4: `a` would be -3.5e+38, which f32 cannot hold (at "
         "most 3.4e38): scale it, or use --precision f64 (column 1, `x`)"},
        {"1,0\n1e10,0\n", 1e30, 4, "line 2: `a` would be 1e+40"},
        {"1,0\n1e300,0\n", 1e30, 8, "line 2: a value for `a` is not finite"},
        {"1700000000,0\n1700000000,0\n1700000001,0\n", 1, 4,
         "line 3: the values for `a` (column 1) are all between 1700000000 and 1700000001, which "
         "f32 cannot tell apart"},
        {"1700000000,0\n1700000001,0\n", 1, 8, NULL},
        {"1700000000,0\n1700086400,0\n", 1, 4, NULL},
        {"1700000000,0\n1700000000,0\n", 1, 4, NULL}, /* it never varied */
        {"16777216,0\n16777217,0\n", 1, 4, "cannot tell apart"},
        {"2023,0\n2024,0\n", 1, 4, NULL},
        {"1e-50,0\n2e-50,0\n", 1, 4, "cannot tell apart"},
        {"1e-50,0\n0.5,0\n", 1, 4, NULL}, /* a small one among others */
        {"1,0\n2,0\n", 1e-50, 4, "cannot tell apart"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        Model m;
        HcError error;
        char said[600] = "";
        set_model(&m, cases[k].size);
        m.bindings[0].scale = cases[k].scale;
        HcSamples *s = open_texts(&m, &cases[k].text, 1, said, sizeof said, &error);
        if ((s == NULL) != (cases[k].expected != NULL) ||
            (!s && !strstr(error.message, cases[k].expected)))
            fail_msg("case %zu: %s", k, error.message);
        hc_samples_free(s);
    }
}

/* One column, standardised: its mean, its deviation. */
static void standardising_keeps_what_varies(void **state) {
    (void)state;
    static const struct {
        double values[3];
        double mean, deviation; /* relative to the first value, and to the mean */
    } cases[] = {
        {{1, 2, 3}, 2, 0.816496580927726},
        {{1e200, 1, 2}, 1e200 / 3, 4.714045207910317e199},
        {{1e-200, 2e-200, 3e-200}, 2e-200, 0.816496580927726e-200},
        {{DBL_MAX, -DBL_MAX, 0}, 0, 0.816496580927726 * DBL_MAX},
        {{DBL_MAX, DBL_MAX / 2, DBL_MAX}, DBL_MAX / 6 * 5, 0.23570226039551584 * DBL_MAX},
        {{4e-320, 8e-320, 12e-320}, 8e-320, 3.266e-320},
        {{0.1, 0.1, 0.1}, 0.1, 0},
        {{1e300, 1e300, 1e300}, 1e300, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        Model m;
        HcError error;
        char text[2000], said[600] = "";
        const char *one = text;
        const double *v = cases[k].values;
        snprintf(text, sizeof text, "%.17g,0\n%.17g,0\n%.17g,0\n", v[0], v[1], v[2]);
        set_model(&m, 4);
        m.bindings[0].standardise = true;
        HcSamples *s = open_texts(&m, &one, 1, said, sizeof said, &error);
        if (!s)
            fail_msg("case %zu: %s", k, error.message);
        const double size = fmax(fabs(v[0]), fabs(v[1]));
        const double tolerance = size < 1e-300 ? 1e-3 : 1e-14;
        if (!(fabs(s->fills[0].mean[0] / size - cases[k].mean / size) <= tolerance) ||
            !(fabs(s->fills[0].deviation[0] / size - cases[k].deviation / size) <= tolerance))
            fail_msg("case %zu: mean %.17g, deviation %.17g", k, s->fills[0].mean[0],
                     s->fills[0].deviation[0]);
        hc_samples_free(s);
    }
    static const char *const alike[] = {"0.3,0\n0.3,0\n0.30000000000000004,0\n",
                                        "1e300,0\n1e300,0\n1.0000000000000002e300,0\n",
                                        "1e16,0\n1e16,0\n10000000000000002,0\n"};
    for (size_t k = 0; k < sizeof alike / sizeof alike[0]; k++) {
        Model m;
        HcError error;
        char said[600] = "";
        set_model(&m, 8);
        m.bindings[0].standardise = true;
        assert_null(open_texts(&m, &alike[k], 1, said, sizeof said, &error));
        if (!strstr(error.message, "/0`, line 3: the values for `a` (column 1) are all between") ||
            !strstr(error.message, "too close for their digits to be standardised"))
            fail_msg("%s", error.message);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_those_of_rfc_4180),
        cmocka_unit_test(other_quoting_is_an_error_with_its_place),
        cmocka_unit_test(any_bytes_are_read_or_refused),
        cmocka_unit_test(a_header_is_no_number_anywhere),
        cmocka_unit_test(columns_go_by_name_in_every_file),
        cmocka_unit_test(numbers_must_be_there_in_the_model_s_precision),
        cmocka_unit_test(standardising_keeps_what_varies),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
