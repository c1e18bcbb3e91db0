#include "sdk/host_protocol/frames.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <type_traits>

namespace keelson::host_protocol {
namespace {

struct Header {
    std::uint32_t text_size;
    std::uint32_t body_size;
    std::uint64_t id;
    std::int64_t deadline_us;
    std::int32_t code;
    std::uint16_t capability;
    std::uint16_t method;
    std::uint8_t type;
    std::uint8_t descriptor_count;
    std::uint8_t unused[6];
};
static_assert(sizeof(Header) == 40 && std::is_trivially_copyable_v<Header>);

constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kFrameDescriptors);

tl::unexpected<Problem> gone(std::string_view why) {
    return problem(Problem::Kind::gone, "the plugin's process has gone: " + std::string(why));
}

void attach(msghdr& message, char* control, const std::vector<int>& descriptors) {
    const std::size_t bytes = descriptors.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(part), descriptors.data(), bytes);
}

void take(msghdr& message, std::vector<Descriptor>& descriptors) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
            descriptors.emplace_back(descriptor);
        }
    }
}

// Takes what was written off the front of the pieces.
void advance(iovec*& piece, std::size_t& count, std::size_t written) {
    while (count > 0 && written >= piece->iov_len) {
        written -= piece->iov_len;
        ++piece;
        --count;
    }
    if (count > 0) {
        piece->iov_base = static_cast<char*>(piece->iov_base) + written;
        piece->iov_len -= written;
    }
}

iovec piece_of(const void* data, std::size_t size) {
    return {const_cast<void*>(data), size};
}

}  // namespace

Result<void> FrameSocket::write(const Frame& frame, const std::vector<int>& descriptors) {
    if (frame.body.size() + frame.text.size() > kFrameLimitBytes || descriptors.size() > kFrameDescriptors)
        return problem(Problem::Kind::too_large, "the message to the plugin is too large");
    Header header{};
    header.text_size = static_cast<std::uint32_t>(frame.text.size());
    header.body_size = static_cast<std::uint32_t>(frame.body.size());
    header.id = frame.id;
    header.deadline_us = frame.deadline_us;
    header.code = frame.code;
    header.capability = frame.capability;
    header.method = frame.method;
    header.type = static_cast<std::uint8_t>(frame.type);
    header.descriptor_count = static_cast<std::uint8_t>(descriptors.size());
    iovec pieces[] = {piece_of(&header, sizeof header), piece_of(frame.text.data(), frame.text.size()),
                      piece_of(frame.body.data(), frame.body.size())};
    iovec* rest = pieces;
    std::size_t count = std::size(pieces);
    alignas(cmsghdr) char control[kControlBytes] = {};
    bool attached = descriptors.empty();
    const std::lock_guard lock(write_mutex_);
    while (count > 0) {
        msghdr message{};
        message.msg_iov = rest;
        message.msg_iovlen = count;
        if (!attached) attach(message, control, descriptors);
        const ssize_t written = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return gone(std::strerror(errno));
        attached = true;
        advance(rest, count, static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> FrameSocket::read_exactly(char* data, std::size_t size, std::vector<Descriptor>& descriptors) {
    while (size > 0) {
        iovec piece{data, size};
        alignas(cmsghdr) char control[kControlBytes];
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t count = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return gone(std::strerror(errno));
        if (count == 0) return gone("the connection has ended");
        take(message, descriptors);
        data += count;
        size -= static_cast<std::size_t>(count);
    }
    return {};
}

Result<Frame> FrameSocket::read() {
    Frame frame;
    Header header;
    if (auto read = read_exactly(reinterpret_cast<char*>(&header), sizeof header, frame.descriptors); !read)
        return tl::unexpected(read.error());
    if (std::size_t{header.text_size} + header.body_size > kFrameLimitBytes ||
        header.type > static_cast<std::uint8_t>(kLastFrameType))
        return problem(Problem::Kind::nonsense, "the plugin's process sent what is no message");
    frame.type = static_cast<FrameType>(header.type);
    frame.id = header.id;
    frame.code = header.code;
    frame.capability = header.capability;
    frame.method = header.method;
    frame.deadline_us = header.deadline_us;
    frame.text.resize(header.text_size);
    frame.body.resize(header.body_size);
    if (auto read = read_exactly(frame.text.data(), frame.text.size(), frame.descriptors); !read)
        return tl::unexpected(read.error());
    if (auto read = read_exactly(frame.body.data(), frame.body.size(), frame.descriptors); !read)
        return tl::unexpected(read.error());
    if (frame.descriptors.size() != header.descriptor_count)
        return problem(Problem::Kind::nonsense,
                       "the plugin's process sent file descriptors that do not add up");
    return frame;
}

void FrameSocket::shut_down() {
    ::shutdown(socket_.get(), SHUT_RDWR);
}

}  // namespace keelson::host_protocol
