#include "process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace keelson::oci::shim {
namespace {

constexpr unsigned most_arguments = 64;

// Between vfork and exec: nothing but system calls.
[[noreturn]] void become(char* const* arguments, const int* streams) {
    for (int number = 0; number < 3; ++number)
        if (::dup2(streams[number], number) < 0) ::_exit(126);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execv(arguments[0], arguments);
    ::_exit(errno == ENOENT ? 127 : 126);
}

}  // namespace

void Streams::close() {
    for (int* stream : {&input, &output, &error}) {
        if (*stream >= 0) ::close(*stream);
        *stream = -1;
    }
}

pid_t spawn(const Message& request, const Streams& streams) {
    const char* arguments[most_arguments + 1] = {};
    unsigned count = 0;
    request.each([&](char letter, const char* text) {
        if (letter == field::argument && count < most_arguments) arguments[count++] = text;
    });
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (count == 0 || nothing < 0) return -1;
    const auto or_nothing = [&](int stream) { return stream < 0 ? nothing : stream; };
    const int used[3] = {or_nothing(streams.input), or_nothing(streams.output), or_nothing(streams.error)};
    const pid_t process = ::vfork();
    if (process == 0) become(const_cast<char* const*>(arguments), used);
    ::close(nothing);
    return process;
}

int exit_code(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int listen_for_terminal(const char* path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (std::strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    std::memcpy(address.sun_path, path, std::strlen(path) + 1);
    ::unlink(path);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) return -1;
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(listener, 1) == 0)
        return listener;
    ::close(listener);
    return -1;
}

int accept_terminal(int listener) {
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return -1;
    char name[256];
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec part{name, sizeof name};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    int terminal = -1;
    const bool came = ::recvmsg(connection, &header, MSG_CMSG_CLOEXEC) > 0;
    const cmsghdr* item = came ? CMSG_FIRSTHDR(&header) : nullptr;
    if (item != nullptr && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS)
        std::memcpy(&terminal, CMSG_DATA(item), sizeof terminal);
    ::close(connection);
    if (terminal >= 0) ::fcntl(terminal, F_SETFL, ::fcntl(terminal, F_GETFL) | O_NONBLOCK);
    return terminal;
}

void tell_result(int stream, int code) {
    if (stream < 0) return;
    Buffer<64> text;
    text.add("{\"exitCode\":").number(code).add('}');
    // New and empty, so it does not wait.
    (void)!::write(stream, text.data(), text.size());
    ::close(stream);
}

}  // namespace keelson::oci::shim
