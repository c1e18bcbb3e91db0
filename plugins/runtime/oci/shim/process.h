// Running the runtime's program.
#ifndef KEELSON_OCI_SHIM_PROCESS_H
#define KEELSON_OCI_SHIM_PROCESS_H

#include <sys/types.h>

#include "message.h"

namespace keelson::oci::shim {

// Standard input, output and error of a process; -1: /dev/null.
struct Streams {
    int input;
    int output;
    int error;
    void close();
};
constexpr Streams no_streams = {-1, -1, -1};

// With the arguments of the request (field::argument), the first of which is a path. -1 with errno.
pid_t spawn(const Message& request, const Streams& streams);

// The code that is told for a process's end: its own, or 128 and the signal.
int exit_code(int wait_status);

// A socket on which the runtime's program hands over the terminal that it has made; and what came, or -1.
int listen_for_terminal(const char* path);
int accept_terminal(int listener);

// {"exitCode":N}, and the stream's end.
void tell_result(int stream, int code);

}  // namespace keelson::oci::shim

#endif
