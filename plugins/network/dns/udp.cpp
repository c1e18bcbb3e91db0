#include "udp.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "keelson/error.hpp"

namespace keelson::name_server {
namespace {

constexpr std::size_t batch_size = 64;
constexpr int batches_in_a_row = 16;  // then others have their turn
constexpr std::size_t question_bytes = 4096;
constexpr std::size_t control_bytes = 64;  // one in_pktinfo or in6_pktinfo
constexpr int buffer_bytes = 4 << 20;

// A socket of all addresses answers from the one that was asked.
void learn_destination(int socket, int family) {
    const int on = 1;
    if (family == AF_INET)
        ::setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    else
        ::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

// Turns what came with a question into what goes with its answer.
void keep_source(msghdr& header) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
         control = CMSG_NXTHDR(&header, control)) {
        if (control->cmsg_level != IPPROTO_IP || control->cmsg_type != IP_PKTINFO) continue;
        auto* info = reinterpret_cast<in_pktinfo*>(CMSG_DATA(control));
        info->ipi_spec_dst = info->ipi_addr;
        info->ipi_ifindex = 0;
    }
}

}  // namespace

struct UdpListener::Socket {
    Descriptor descriptor;
};

struct UdpListener::Batch {
    std::array<mmsghdr, batch_size> messages{};
    std::array<iovec, batch_size> parts{};
    std::array<sockaddr_storage, batch_size> peers{};
    std::array<std::array<char, question_bytes>, batch_size> questions{};
    std::array<std::array<char, control_bytes>, batch_size> controls{};
    std::array<std::string, batch_size> answers;
    std::array<mmsghdr, batch_size> outgoing{};
    std::array<iovec, batch_size> outgoing_parts{};
};

Descriptor bind_udp(const Endpoint& endpoint) {
    Descriptor socket(::socket(endpoint.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    if (endpoint.family() == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (!socket || ::bind(socket.get(), endpoint.get(), endpoint.size) != 0)
        throw Error(Code::unavailable,
                    "cannot listen on udp " + endpoint.text() + ": " + std::strerror(errno), "listen");
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) != 0)
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    if (endpoint.is_any()) learn_destination(socket.get(), endpoint.family());
    return socket;
}

UdpListener::UdpListener(Loop& loop, Responder& responder, Descriptor socket)
    : loop_(loop),
      responder_(responder),
      socket_(std::make_shared<Socket>(Socket{std::move(socket)})),
      batch_(std::make_unique<Batch>()) {}

UdpListener::~UdpListener() = default;

void UdpListener::set_serving(bool is_serving) {
    watch_.reset();
    if (!is_serving) return;
    watch_ = Watch(loop_, descriptor(), EPOLLIN, [this](std::uint32_t) {
        for (int i = 0; i < batches_in_a_row && serve_batch(); ++i) {
        }
    });
}

int UdpListener::descriptor() const {
    return socket_->descriptor.get();
}

// False when no more questions wait.
bool UdpListener::serve_batch() {
    Batch& batch = *batch_;
    for (std::size_t i = 0; i < batch_size; ++i) {
        batch.parts[i] = {batch.questions[i].data(), question_bytes};
        batch.messages[i].msg_hdr = {&batch.peers[i],
                                     sizeof batch.peers[i],
                                     &batch.parts[i],
                                     1,
                                     batch.controls[i].data(),
                                     control_bytes,
                                     0};
    }
    const int count =
        ::recvmmsg(socket_->descriptor.get(), batch.messages.data(), batch_size, MSG_DONTWAIT, nullptr);
    if (count <= 0) return count < 0 && errno == EINTR;
    std::size_t outgoing = 0;
    for (std::size_t i = 0; i < std::size_t(count); ++i) {
        mmsghdr& message = batch.messages[i];
        if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) continue;
        std::string& answer = batch.answers[outgoing];
        answer.clear();
        keep_source(message.msg_hdr);
        const auto step = responder_.respond({batch.questions[i].data(), message.msg_len}, 0, answer,
                                             [this, i] { return later(i); });
        if (step != Responder::Step::answered) continue;
        batch.outgoing_parts[outgoing] = {answer.data(), answer.size()};
        batch.outgoing[outgoing].msg_hdr = message.msg_hdr;
        batch.outgoing[outgoing].msg_hdr.msg_iov = &batch.outgoing_parts[outgoing];
        batch.outgoing[outgoing].msg_hdr.msg_flags = 0;
        ++outgoing;
    }
    send_batch(outgoing);
    return count == int(batch_size);
}

Deliver UdpListener::later(std::size_t slot) const {
    const msghdr& header = batch_->messages[slot].msg_hdr;
    const std::string peer(static_cast<const char*>(header.msg_name), header.msg_namelen);
    const std::string control(static_cast<const char*>(header.msg_control), header.msg_controllen);
    return [socket = std::weak_ptr<Socket>(socket_), peer, control](std::string message) {
        const auto open = socket.lock();
        if (open == nullptr) return;
        iovec part{message.data(), message.size()};
        const msghdr answer{const_cast<char*>(peer.data()),
                            socklen_t(peer.size()),
                            &part,
                            1,
                            control.empty() ? nullptr : const_cast<char*>(control.data()),
                            control.size(),
                            0};
        ::sendmsg(open->descriptor.get(), &answer, MSG_DONTWAIT | MSG_NOSIGNAL);
    };
}

// Who cannot be reached asks again; the others are not to wait for it.
void UdpListener::send_batch(std::size_t count) {
    std::size_t sent = 0;
    while (sent < count) {
        const int done = ::sendmmsg(socket_->descriptor.get(), &batch_->outgoing[sent],
                                    unsigned(count - sent), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR) continue;
        sent += done > 0 ? std::size_t(done) : 1;
    }
}

}  // namespace keelson::name_server
