// Events: what the kernel's parts tell people about objects (`kubectl describe`, `kubectl events`).
//
// Recording never waits and never fails: events are written in the background, in order; the queue is bounded
// and drops what does not fit. The same event again counts up the first one; many alike are combined; one
// source that talks too much about one object is cut short (the rules of client-go's event correlator:
// https://pkg.go.dev/k8s.io/client-go/tools/record#EventCorrelator).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/client/client.h"
#include "kernel/object/value.h"

namespace keelson::client {

enum class EventType : bool { normal, warning };

class EventRecorder {
  public:
    // `component` is the source: "deployment-controller"; `host` the node that it speaks for, if it is one's.
    // Client and executor must outlive it. Lives on the one thread of the executor.
    [[nodiscard]] static std::unique_ptr<EventRecorder> make(Client& client, base::Executor& executor,
                                                             base::RandomSource& random,
                                                             std::string component, std::string host = {});
    virtual ~EventRecorder() = default;

    // About a whole object (with kind and apiVersion), which is read at once. `message` in one sentence,
    // shortened at 1,024 bytes.
    void record(object::Value about, EventType type, std::string_view reason, std::string message) {
        record_part(about, {}, type, reason, std::move(message));
    }
    // About a part of it, such as "spec.containers{web}".
    virtual void record_part(object::Value about, std::string field_path, EventType type,
                             std::string_view reason, std::string message) = 0;
    // In the form of events.k8s.io/v1, as the scheduler writes them: with an action, and a second object that
    // it is about (or an unset value).
    virtual void record_action(object::Value about, object::Value related, EventType type,
                               std::string_view reason, std::string_view action, std::string message) = 0;
    // Waits until everything recorded so far has been written, or could not be.
    virtual base::Task<void> flush() = 0;
};

}  // namespace keelson::client
