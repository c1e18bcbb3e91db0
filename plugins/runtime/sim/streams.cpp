#include "streams.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace {

using keelson::Code;
using keelson::Descriptor;
using keelson::Error;

[[noreturn]] void fail(const char* what) {
    const Code code = errno == EMFILE || errno == ENFILE ? Code::exhausted : Code::internal;
    throw Error(code, std::string("cannot make ") + what + ": " + std::strerror(errno));
}

}  // namespace

Stream make_stream() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail("a stream");
    return {Descriptor(ends[0]), Descriptor(ends[1])};
}

void write_some(const Descriptor& descriptor, std::string_view text) {
    (void)!::send(descriptor.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

Descriptor finished_stream(std::string_view text) {
    Stream stream = make_stream();
    write_some(stream.ours, text);
    return std::move(stream.theirs);
}

Descriptor void_input() {
    Descriptor input(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (!input) fail("an input");
    return input;
}

std::string exit_document(int code) {
    return "{\"exitCode\":" + std::to_string(code) + "}";
}
