#include "message.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace keelson::oci::shim {

bool Message::receive(int connection) {
    field_count_ = descriptor_count_ = descriptors_taken_ = 0;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * packet_descriptors)];
    iovec part{bytes_, sizeof bytes_};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = 0;
    do size = ::recvmsg(connection, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    if (size <= 0) return false;
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        descriptor_count_ = unsigned((item->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(descriptors_, CMSG_DATA(item), descriptor_count_ * sizeof(int));
    }
    const bool whole = (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && size >= 4 &&
                       (size == 4 || bytes_[size - 1] == 0);
    std::memcpy(&kind_, bytes_, sizeof kind_);
    for (const char* at = bytes_ + 4; whole && at < bytes_ + size; at += std::strlen(at) + 1) {
        if (*at == 0 || field_count_ == packet_fields) continue;
        fields_[field_count_++] = at;
    }
    if (!whole) reset();
    return whole;
}

void Message::reset() {
    for (int descriptor = take_descriptor(); descriptor >= 0; descriptor = take_descriptor())
        ::close(descriptor);
}

const char* Message::get(char letter) const {
    for (unsigned index = 0; index < field_count_; ++index)
        if (fields_[index][0] == letter) return fields_[index] + 1;
    return nullptr;
}

const char* Message::text(char letter) const {
    const char* found = get(letter);
    return found == nullptr ? "" : found;
}

int Message::take_descriptor() {
    return descriptors_taken_ < descriptor_count_ ? descriptors_[descriptors_taken_++] : -1;
}

Reply::Reply(Kind kind) {
    char number[sizeof kind];
    std::memcpy(number, &kind, sizeof kind);
    bytes_.add(number, sizeof number);
}

Reply& Reply::add(char letter, const char* text) {
    // Cut rather than lost; the last byte of the buffer stays for the end of the field.
    bytes_.add(letter).add(text, std::strlen(text) < 6000 ? std::strlen(text) : 6000).add('\0');
    return *this;
}

Reply& Reply::add(char letter, std::int64_t number) {
    bytes_.add(letter).number(number).add('\0');
    return *this;
}

void Reply::send(int connection, int descriptor) const {
    if (connection < 0) return;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{const_cast<char*>(bytes_.data()), bytes_.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (descriptor >= 0) {
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        cmsghdr* item = CMSG_FIRSTHDR(&header);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(item), &descriptor, sizeof descriptor);
    }
    while (::sendmsg(connection, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
    }
}

void reply_done(int connection, int descriptor) {
    Reply(Kind::done).send(connection, descriptor);
}

void reply_failed(int connection, const char* what, int error) {
    Buffer<4096> text;
    text.add(what);
    if (error != 0) text.add(": ").add(::strerrordesc_np(error) ? ::strerrordesc_np(error) : "unknown");
    Reply(Kind::failed).add(field::message, text.data()).send(connection);
}

}  // namespace keelson::oci::shim
