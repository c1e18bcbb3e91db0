#include "stack/netlink_batch.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "keelson/error.hpp"

namespace keelson::stack {
namespace {

constexpr std::size_t group_bytes = 24576;  // one send
constexpr std::size_t group_messages = 128;

}  // namespace

void Batch::add(Message& message, const char* doing, std::vector<int> ignored) {
    if (bytes_.size() >= group_bytes || sent_.size() >= group_messages) flush();
    nlmsghdr* header = nlmsg_hdr(message.get());
    header->nlmsg_seq = sequence_ + std::uint32_t(sent_.size());
    header->nlmsg_pid = 0;
    header->nlmsg_flags = std::uint16_t((header->nlmsg_flags | NLM_F_REQUEST) & ~NLM_F_ACK);
    last_at_ = bytes_.size();
    bytes_.append(reinterpret_cast<const char*>(header), header->nlmsg_len);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
    sent_.push_back({doing, std::move(ignored)});
}

void Batch::flush() {
    if (!sent_.empty()) {
        // Failures are always told, success only of the last one.
        nlmsghdr header{};
        std::memcpy(&header, bytes_.data() + last_at_, sizeof header);
        header.nlmsg_flags |= NLM_F_ACK;
        std::memcpy(bytes_.data() + last_at_, &header, sizeof header);
        const int socket = nl_socket_get_fd(netlink_.socket());
        sockaddr_nl kernel{};
        kernel.nl_family = AF_NETLINK;
        ssize_t sent = -1;
        do {
            sent = ::sendto(socket, bytes_.data(), bytes_.size(), 0,
                            reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
        } while (sent < 0 && errno == EINTR);
        if (sent < 0)
            problem_ = std::string("cannot send netlink messages: ") + std::strerror(errno);
        else
            read_answers(sequence_ + std::uint32_t(sent_.size()) - 1);
        sequence_ += std::uint32_t(sent_.size());
        sent_.clear();
        bytes_.clear();
    }
    if (!problem_.empty()) throw Error(Code::internal, std::exchange(problem_, {}));
}

void Batch::read_answers(std::uint32_t last) {
    alignas(nlmsghdr) char buffer[32768];
    const int socket = nl_socket_get_fd(netlink_.socket());
    for (;;) {
        const ssize_t size = ::recv(socket, buffer, sizeof buffer, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) {
            problem_ = std::string("cannot read netlink answers: ") + std::strerror(errno);
            netlink_.forget_answers();
            return;
        }
        int left = int(size);
        for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(header, left);
             header = nlmsg_next(header, &left)) {
            if (header->nlmsg_type != NLMSG_ERROR) continue;
            const auto* error = static_cast<const nlmsgerr*>(nlmsg_data(header));
            const std::uint32_t at = header->nlmsg_seq - sequence_;
            if (at >= sent_.size()) continue;
            const bool is_ignored =
                error->error == 0 ||
                std::ranges::find(sent_[at].ignored, -error->error) != sent_[at].ignored.end();
            if (!is_ignored && problem_.empty())
                problem_ = std::string("cannot ") + sent_[at].doing + ": " + std::strerror(-error->error);
            if (header->nlmsg_seq == last) return;
        }
    }
}

}  // namespace keelson::stack
