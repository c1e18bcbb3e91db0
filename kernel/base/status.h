// Why an operation failed, in the terms that a Kubernetes client understands.
//
// A Status is only ever an error. It maps one to one to the Kubernetes `Status` object
// (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/): reason, HTTP code,
// message, details with causes. Copyable, cheap to move, free of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::base {

// The reasons of Kubernetes' `metav1.StatusReason`. `unknown` has no reason text and code 500.
enum class Reason : std::uint8_t {
    unknown,
    unauthorized,
    forbidden,
    not_found,
    already_exists,
    conflict,
    gone,
    invalid,
    server_timeout,
    timeout,
    too_many_requests,
    bad_request,
    method_not_allowed,
    not_acceptable,
    request_entity_too_large,
    unsupported_media_type,
    internal_error,
    expired,
    service_unavailable,
    store_read_error,
};

// The text of a reason as it stands in JSON ("NotFound"); empty for unknown.
[[nodiscard]] std::string_view reason_text(Reason reason);
// The HTTP status code that goes with a reason.
[[nodiscard]] int reason_code(Reason reason);

// One field that was wrong: reason is "FieldValueRequired" and so on, field a path such as
// "spec.ports[0].name".
struct Cause {
    std::string reason;
    std::string message;
    std::string field;
    bool operator==(const Cause&) const = default;
};

struct StatusDetails {
    std::string name;
    std::string group;
    std::string kind;
    std::string uid;
    std::vector<Cause> causes;
    int retry_after_seconds = 0;
    bool operator==(const StatusDetails&) const = default;
};

class [[nodiscard]] Status {
  public:
    Status(Reason reason, std::string message) : message_(std::move(message)), code_(0), reason_(reason) {}

    [[nodiscard]] Reason reason() const { return reason_; }
    [[nodiscard]] int code() const { return code_ != 0 ? code_ : reason_code(reason_); }
    [[nodiscard]] const std::string& message() const { return message_; }
    // Null when the Status has no details at all (the JSON then has no `details` member).
    [[nodiscard]] const StatusDetails* details() const { return details_.get(); }

    // Returns the details to fill in, making empty ones when there are none.
    StatusDetails& mutable_details() {
        if (!details_) details_ = std::make_shared<StatusDetails>();
        if (details_.use_count() > 1) details_ = std::make_shared<StatusDetails>(*details_);
        return *details_;
    }
    Status& with_details(StatusDetails details) {
        details_ = std::make_shared<StatusDetails>(std::move(details));
        return *this;
    }
    // Overrides the HTTP code that the reason implies (a few Kubernetes errors need it).
    Status& with_code(int code) {
        code_ = static_cast<std::int16_t>(code);
        return *this;
    }
    // Puts text before the message: "reading config: " + message.
    Status& with_context(std::string_view prefix) {
        message_.insert(0, prefix);
        return *this;
    }

  private:
    std::string message_;
    std::shared_ptr<StatusDetails> details_;
    std::int16_t code_;
    Reason reason_;
};

}  // namespace keelson::base
