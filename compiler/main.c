/* hcc: a compiler for hyper-connection networks. The driver does the work, so that tests can call
 * it too. */
#include "driver/driver.h"

int main(int argc, char **argv) {
    return driver_main(argc, (const char *const *)argv, stdout, stderr);
}
