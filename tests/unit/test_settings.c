/* The recipe: exact numbers, what each optimiser and schedule takes, and the page that says so. */
#include "abi/settings.h"
#include "sema_model.h"

#define LINE "model m { input x : real; param a = 0; loss (a - x)^2; }\n"

/* Seeds are exact wherever they are written, and what an optimiser does not take is 0. */
static void test_recipe_numbers(void **state) {
    (void)state;
    const Override seed[] = {{"train.seed", "9007199254740993"}, {"train.optimizer", "sgd"}};
    Model m = model_open(LINE "train m { optimizer adamw(lr = 2, eps = 0.5); seed 3; }", 2, seed);
    assert_true(m.network->recipe.seed == INT64_C(9007199254740993));
    assert_int_equal(m.network->recipe.optimizer, OPTIMIZER_SGD);
    assert_near(m.network->recipe.lr, 2, 0);
    assert_near(m.network->recipe.eps, 0, 0);
    assert_near(m.network->recipe.momentum, 0.9, 0);
    model_close(&m);
    m = model_open(LINE "train m { seed 9200000000000000000; optimizer sgd(weight_decay = 0.5); }",
                   1, &(const Override){"train.lr", "0.25"});
    assert_true(m.network->recipe.seed == INT64_C(9200000000000000000));
    assert_near(m.network->recipe.weight_decay, 0.5, 0);
    model_close(&m);
    m = model_open(LINE "train m { optimizer sgd(0.1); }", 0, NULL);
    assert_near(m.network->recipe.weight_decay, 0, 0);
    model_close(&m);
    m = model_open(LINE, 0, NULL);
    assert_near(m.network->recipe.weight_decay, 0.01, 0);
    assert_near(m.network->recipe.momentum, 0, 0);
    model_close(&m);
}

/* The line of GRAMMAR.md that begins with `head`. */
static const char *grammar_line(const char *text, const char *head, size_t *length) {
    const char *line = strstr(text, head);
    assert_non_null(line);
    *length = strcspn(line, "\n");
    return line;
}

typedef struct {
    HC_SETTING_MEMBERS(HC_SETTING_MEMBER)
} AnyRecipe;

/* The page names each setting in the line of each choice that takes it, and in no other. */
static void test_settings_are_documented(void **state) {
    (void)state;
#define ROW(...) HC_SETTING_RULE(AnyRecipe, __VA_ARGS__)
    static const HcSettingRule rules[] = {HC_SETTINGS(ROW)};
    static const char *const heads[] = {
#define HC_OPTIMIZER(ident, text, first, second) "optimizer " text,
#define HC_SCHEDULE(ident, text) "schedule " text,
#include "abi/words.def"
    };
    static char text[1 << 18];
    FILE *from = fopen(HCC_SOURCE_DIR "/grammar/GRAMMAR.md", "rb");
    assert_non_null(from);
    text[fread(text, 1, sizeof text - 1, from)] = 0;
    fclose(from);
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) {
        const char *name = strncmp(rules[k].name, "beta", 4) == 0 ? "betas" : rules[k].name;
        char wanted[64], line[512];
        size_t length;
        if (!rules[k].group[0]) {
            const bool parts = !hc_setting_stands_alone(name);
            snprintf(wanted, sizeof wanted, "| `%s ", parts ? "batch 16;`, `batch 16 in" : name);
            grammar_line(text, wanted, &length);
            continue;
        }
        snprintf(wanted, sizeof wanted, "%s = ", name);
        for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
            snprintf(line, sizeof line, "| `%s(", heads[h]);
            const char *at = grammar_line(text, line, &length);
            snprintf(line, sizeof line, "%.*s", (int)length, at);
            if (strncmp(heads[h], rules[k].group, strlen(rules[k].group)) != 0)
                continue;
            at = strstr(line, wanted);
            const char *choice = strchr(heads[h], ' ') + 1;
            bool taken = false;
            for (size_t j = 0; j < sizeof rules / sizeof *rules; j++)
                taken = taken || (strcmp(rules[j].name, rules[k].name) == 0 &&
                                  hc_setting_takes(&rules[j], choice));
            if (taken != (at != NULL))
                fail_msg("`%s` and the line of `%s`: %s", wanted, heads[h], line);
            if (strcmp(name, "betas") != 0 && hc_setting_takes(&rules[k], choice))
                assert_near(strtod(at + strlen(wanted), NULL), rules[k].fallback, 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe_numbers),
        cmocka_unit_test(test_settings_are_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
