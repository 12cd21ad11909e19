/* hcc: a compiler for hyper-connection networks. The driver does the work, so that tests can call
 * it too. */
#include "driver/driver.h"
#include "runtime/app/signals.h"
#include "runtime/hc.h"

int main(int argc, char **argv) {
    hc_process_init();
    hc_signals_of_files();
    return driver_main(argc, (const char *const *)argv, stdout, stderr);
}
