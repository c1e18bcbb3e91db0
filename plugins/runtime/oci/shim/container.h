// The containers of the pod: from the mounted file system to the status file with the exit code.
#ifndef KEELSON_OCI_SHIM_CONTAINER_H
#define KEELSON_OCI_SHIM_CONTAINER_H

#include <sys/types.h>

#include "message.h"
#include "poller.h"

namespace keelson::oci::shim {

// Called with the container's id when its status file has changed by itself.
using Changed = void (*)(const char* id);

void begin_containers(Changed changed);

// Requests. Each replies on the connection; start takes it over, replies later and closes it, when it returns
// true.
void prepare_container(const Message& request, int connection);
bool start_container(Message& request, int connection);
void signal_container(const Message& request, int connection);
void attach_container(Message& request, int connection);
void resize_container(const Message& request, int connection);
void reopen_container(const Message& request, int connection);
void discard_container(const Message& request, int connection);
bool have_containers();

void poll_containers(Poller& poller);
// False when the process is none of theirs.
bool container_process_ended(pid_t process, int code);
// What has to be looked at again; answers in how many milliseconds, or -1.
int tend_containers();

}  // namespace keelson::oci::shim

#endif
