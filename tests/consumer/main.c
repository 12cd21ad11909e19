/* Prints the loss of a line whose weights are all 1, at x = 1 .. 8 and y = 30: (36 - 30)^2. */
#include "line.h"
#include <stdio.h>

int main(void) {
    const float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y = 30;
    const HcOptions options = {.threads = 1, .samples = 1};
    HcContext *line;
    HcError error;
    double loss = 0;
    if (line_create(&options, &line, &error) != HC_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (line_init(line, 1) != HC_OK || line_set_input(line, "x", x, 8) != HC_OK ||
        line_set_input(line, "y", &y, 1) != HC_OK || line_forward(line) != HC_OK ||
        line_loss(line, &loss) != HC_OK)
        fprintf(stderr, "%s\n", line_last_error(line));
    printf("%g\n", loss);
    line_destroy(line);
    return 0;
}
