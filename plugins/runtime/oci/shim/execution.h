// What is executed in containers, and other runs of the runtime's program.
#ifndef KEELSON_OCI_SHIM_EXECUTION_H
#define KEELSON_OCI_SHIM_EXECUTION_H

#include <sys/types.h>

#include "message.h"
#include "poller.h"

namespace keelson::oci::shim {

// Each takes the connection over, replies later and closes it, when it returns true.
bool start_execution(Message& request, int connection);
bool run_program(Message& request, int connection);
void resize_execution(const Message& request, int connection);

void poll_executions(Poller& poller);
bool execution_process_ended(pid_t process, int code);
int tend_executions();

}  // namespace keelson::oci::shim

#endif
