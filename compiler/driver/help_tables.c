/* What is told of commands, the environment and exit codes. */
#include "driver/help.h"

const CommandHelp command_helps[] = {
#define COMMAND(ident, name, arguments, summary, text) {name, arguments, summary, text},
#include "driver/commands.def"
#undef COMMAND
};

const ExitHelp exit_helps[] = {
    {EXIT_OK, "all is well"},
    {EXIT_SPEC, "the .hc file is wrong"},
    {EXIT_USAGE, "the command line is wrong"},
    {EXIT_DATA, "bad data or checkpoint"},
    {EXIT_DIVERGED, "training diverged"},
    {EXIT_CHECK, "a check failed"},
    {EXIT_RESOURCE, "out of memory or disk space"},
    {EXIT_FAULT, "a fault of the compiler; it prints the command that reproduces it"},
    {EXIT_INTERRUPTED, "interrupted, after saving"},
};
_Static_assert(sizeof exit_helps / sizeof *exit_helps == EXIT_HELPS, "as help.h says");

const EnvironmentHelp environment_helps[] = {
    {"HCC_CACHE_DIR", "the folder that keeps compiled code from one run to the next (hcc in "
                      "XDG_CACHE_HOME, or in ~/.cache)"},
    {"HCC_CACHE_SIZE", "the most that folder may hold, in MiB; 0: keep nothing (256)"},
    {"HCC_PATH",
     "folders to look for used files in, behind those of --include, a colon between them"},
    {"COLUMNS",
     "how wide help is, and the list of `hcc show` (the terminal; elsewhere no line is broken)"},
    {"LINES", "how many lines `hcc log` prints (the terminal; elsewhere each of the log)"},
    {"NO_COLOR", "no colours, whatever the terminal can do"},
    {"TMPDIR", "where `hcc build` links (/tmp)"},
};
_Static_assert(sizeof environment_helps / sizeof *environment_helps == ENVIRONMENT_HELPS,
               "as help.h says");

const char help_cache[] =
    "`gradcheck`, `train`, `eval`, `sample`, `bench` and `build` keep the machine code they "
    "make, and find it again when\nnothing that decides about it has changed: the kernels, the "
    "processor, the options, this build of hcc and of LLVM.\nA kernel that another model or "
    "another width left is found as well. What is found is the same, bit for bit, as what\n"
    "would be compiled; `--time-passes` says how much that was, and `--no-cache` does without. "
    "Only files of the\nuser's own that nobody else may write are trusted; the folder can be "
    "removed at any time.\n";
