// The kit's side of struct keelson_reply: collects what methods write, and notices who writes when or where
// it must not.
#pragma once

#include <string>

#include "keelson/entry.h"
#include "transport.h"

namespace keelson::check {

// One open reply. Its context is an address that nothing can be read from or written to.
class ReplySink {
  public:
    ReplySink();
    ~ReplySink();
    ReplySink(const ReplySink&) = delete;
    ReplySink& operator=(const ReplySink&) = delete;

    [[nodiscard]] keelson_reply table() const;
    // Ends the reply: what comes later is counted. Moves what has come into the answer.
    void close(Answer& answer);

  private:
    void* context_;
};

// How often a plugin has written to, or passed a descriptor to, a reply that was over.
[[nodiscard]] int late_reply_uses();

}  // namespace keelson::check
