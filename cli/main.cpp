// keelctl. Reads what it was told, does it, and says in one line what went wrong.
#include <signal.h>

#include <cstdio>
#include <exception>

#include "cli/command_line.h"
#include "cli/output.h"

namespace {

using namespace keelson::cli;

int complain(const Failure& failure) {
    std::fflush(stdout);
    if (!failure.message.empty())
        std::fprintf(
            stderr, "%s%s\n", failure.is_whole ? "" : "error: ",
            failure.is_whole ? printable_lines(failure.message).c_str() : printable(failure.message).c_str());
    return failure.code;
}

int run(int count, char** arguments) {
    const auto command = parse_command_line(count, arguments);
    if (!command) return complain(command.error());
    if (const auto done = (*command)(); !done) return complain(done.error());
    if (const auto written = finish_output(); !written) return complain(written.error());
    return exit_good;
}

}  // namespace

int main(int count, char** arguments) {
    // A reader that leaves, or a server that closes, is an error code here and not a death.
    ::signal(SIGPIPE, SIG_IGN);
    try {
        return run(count, arguments);
    } catch (const std::exception& error) {
        return complain({std::string("keelctl has a fault: ") + error.what()});
    }
}
