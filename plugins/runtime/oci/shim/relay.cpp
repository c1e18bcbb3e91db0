#include "relay.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace keelson::oci::shim {
namespace {

struct Relay {
    bool used;
    int from;
    int to;
    std::uint64_t owner;
    AtEnd at_end;
    std::size_t begin;
    std::size_t end;
    char data[4096];
};

Relay relays[48];

void stop(Relay& relay) {
    ::close(relay.from);
    ::close(relay.to);
    relay.used = false;
}

void end(Relay& relay) {
    stop(relay);
    if (relay.at_end != nullptr) relay.at_end(relay.owner);
}

bool would_wait() {
    return errno == EAGAIN || errno == EINTR;
}

void drain(Relay& relay) {
    while (relay.begin < relay.end) {
        const ssize_t written = ::write(relay.to, relay.data + relay.begin, relay.end - relay.begin);
        if (written < 0) {
            if (!would_wait()) end(relay);
            return;
        }
        relay.begin += std::size_t(written);
    }
}

void readable(void* object, short /*events*/) {
    Relay& relay = *static_cast<Relay*>(object);
    if (!relay.used || relay.begin < relay.end) return;
    const ssize_t got = ::read(relay.from, relay.data, sizeof relay.data);
    if (got < 0 && would_wait()) return;
    if (got <= 0) return end(relay);
    relay.begin = 0;
    relay.end = std::size_t(got);
    drain(relay);
}

void writable(void* object, short events) {
    Relay& relay = *static_cast<Relay*>(object);
    if (!relay.used) return;
    if (relay.begin < relay.end) {
        drain(relay);
    } else if ((events & (POLLERR | POLLHUP)) != 0) {
        end(relay);
    }
}

void make_non_blocking(int descriptor) {
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

}  // namespace

void start_relay(int from, int to, std::uint64_t owner, AtEnd at_end) {
    for (Relay& relay : relays) {
        if (relay.used || from < 0 || to < 0) continue;
        make_non_blocking(from);
        make_non_blocking(to);
        relay.used = true;
        relay.from = from;
        relay.to = to;
        relay.owner = owner;
        relay.at_end = at_end;
        relay.begin = relay.end = 0;
        return;
    }
    if (from >= 0) ::close(from);
    if (to >= 0) ::close(to);
}

void stop_relays(std::uint64_t owner) {
    for (Relay& relay : relays)
        if (relay.used && relay.owner == owner) stop(relay);
}

std::uint64_t new_owner() {
    static std::uint64_t last;
    return ++last;
}

void poll_relays(Poller& poller) {
    for (Relay& relay : relays) {
        if (!relay.used) continue;
        const bool is_full = relay.begin < relay.end;
        if (!is_full) poller.add(relay.from, POLLIN, &readable, &relay);
        poller.add(relay.to, is_full ? POLLOUT : 0, &writable, &relay);
    }
}

}  // namespace keelson::oci::shim
