// The circumstances of one call, and file descriptors.
#ifndef KEELSON_CALL_HPP
#define KEELSON_CALL_HPP

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keelson/entry.h"
#include "keelson/error.hpp"

namespace keelson {

// A file descriptor that is closed with its owner.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(other.release());
        return *this;
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { reset(); }

    // Its own copy of a descriptor that somebody else owns; closed on exec.
    static Descriptor duplicate(int number) {
        const int copy = ::fcntl(number, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            const Code code = errno == EMFILE ? Code::exhausted : Code::internal;
            throw Error(code, std::string("cannot duplicate a file descriptor: ") + std::strerror(errno));
        }
        return Descriptor(copy);
    }

    [[nodiscard]] int get() const noexcept { return number_; }
    explicit operator bool() const noexcept { return number_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(number_, -1); }
    void reset(int number = -1) noexcept {
        if (number_ >= 0) ::close(number_);
        number_ = number;
    }

  private:
    int number_ = -1;
};

using Descriptors = std::vector<Descriptor>;

// Valid until the method returns: do not keep it. A Call made without arguments has no deadline.
class Call {
  public:
    Call() = default;
    // Takes what the table holds; fields beyond its struct_size count as absent. Both may be null.
    Call(const keelson_call* call, keelson_reply* reply) : reply_(reply) {
        if (call == nullptr) return;
        if (KEELSON_HAS_FIELD(call, keelson_call, descriptors) && call->descriptors != nullptr) {
            call_.descriptor_count = call->descriptor_count;
            call_.descriptors = call->descriptors;
        }
        if (KEELSON_HAS_FIELD(call, keelson_call, deadline_us)) call_.deadline_us = call->deadline_us;
        if (KEELSON_HAS_FIELD(call, keelson_call, cancelled)) call_.cancelled = call->cancelled;
        if (KEELSON_HAS_FIELD(call, keelson_call, traceparent) && call->traceparent != nullptr)
            call_.traceparent = call->traceparent;
    }

    // On the scale of Host::monotonic(), which is virtual in a simulation.
    [[nodiscard]] std::optional<std::chrono::microseconds> deadline() const {
        if (call_.deadline_us == 0) return std::nullopt;
        return std::chrono::microseconds(call_.deadline_us);
    }
    // The same call with another deadline, for what the plugin asks of the host on its behalf.
    [[nodiscard]] Call until(std::chrono::microseconds deadline) const {
        Call copy = *this;
        copy.call_.deadline_us = deadline.count();
        return copy;
    }
    [[nodiscard]] bool is_cancelled() const { return keelson_is_cancelled(&call_) != 0; }
    // Throws when nobody waits any more or, given the time, when it is past the deadline.
    void check(std::chrono::microseconds now = {}) const {
        if (is_cancelled()) throw Error(Code::cancelled, "the call was cancelled");
        if (call_.deadline_us != 0 && now.count() >= call_.deadline_us)
            throw Error(Code::deadline_exceeded, "the deadline of the call has passed");
    }
    [[nodiscard]] std::string_view traceparent() const { return call_.traceparent; }

    [[nodiscard]] std::size_t descriptor_count() const { return call_.descriptor_count; }
    // Borrowed: it is closed when the method returns.
    [[nodiscard]] int descriptor(std::size_t index) const {
        if (index >= call_.descriptor_count)
            throw Error(Code::invalid, "file descriptor " + std::to_string(index) + " did not come along");
        return call_.descriptors[index];
    }
    [[nodiscard]] Descriptor duplicate_descriptor(std::size_t index) const {
        return Descriptor::duplicate(descriptor(index));
    }
    [[nodiscard]] Descriptors duplicate_descriptors() const {
        Descriptors copies;
        for (std::size_t index = 0; index < descriptor_count(); ++index)
            copies.push_back(duplicate_descriptor(index));
        return copies;
    }

    // Adds a descriptor to the answer. The caller keeps, and closes, its own.
    void pass_descriptor(int number) const {
        if (reply_ == nullptr || !KEELSON_HAS_FIELD(reply_, keelson_reply, pass_descriptor) ||
            reply_->pass_descriptor == nullptr)
            throw Error(Code::unsupported, "this host takes no file descriptors");
        if (reply_->pass_descriptor(reply_->context, number) != KEELSON_OK)
            throw Error(Code::exhausted, "the host takes no more file descriptors with this answer");
    }

    // The circumstances as a table, without the descriptors.
    [[nodiscard]] keelson_call table() const {
        keelson_call copy = call_;
        copy.descriptor_count = 0;
        copy.descriptors = nullptr;
        return copy;
    }

  private:
    keelson_call call_ = {sizeof(keelson_call), 0, nullptr, 0, nullptr, ""};
    keelson_reply* reply_ = nullptr;
};

}  // namespace keelson

#endif
