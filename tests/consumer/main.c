/* Prints the loss of a line whose weights are all 1, at x = 1 .. 8 and y = 30: (36 - 30)^2. */
#include <hcc/hc.h>
#include <stdio.h>

extern const HcModel line_model;

int main(void) {
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y = 30;
    const HcOptions options = {.threads = 1, .samples = 1};
    HcContext *line;
    HcError error;
    double loss = 0;
    if (hc_create(&line_model, &options, &line, &error) != HC_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (hc_init(line, 1) != HC_OK || hc_set_input(line, "x", x, 8) != HC_OK ||
        hc_set_input(line, "y", &y, 1) != HC_OK || hc_forward(line) != HC_OK ||
        hc_loss(line, &loss) != HC_OK)
        fprintf(stderr, "%s\n", hc_last_error(line));
    printf("%g\n", loss);
    hc_destroy(line);
    return 0;
}
