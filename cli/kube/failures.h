// Failures in kubectl's words, which scripts read.
#pragma once

#include <string>
#include <vector>

#include "cli/http.h"
#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

// A Status that the API server has sent instead of what was asked for.
struct Refusal {
    int code = 0;
    std::string reason;   // "NotFound"
    std::string message;  // as the server worded it
    std::string kind, name;
    struct Cause {
        std::string field, message;
    };
    std::vector<Cause> causes;
    std::string context;  // "error when creating \"x.yaml\": "
};

// What is wrong with an answer of 400 or more.
Failure refusal_of(const Answer& answer);
Failure trouble_of(const Server& server, const Trouble& trouble);
// The message as it stands: "Error from server (NotFound): ..." needs no "error: ".
Failure whole(std::string message, int code = exit_failure);
// No words; for commands whose exit code says it.
Failure silent(int code);

[[nodiscard]] bool is_refused_as(const Failure& failure, std::string_view reason);
[[nodiscard]] bool is_not_found(const Failure& failure);
// What it was about, before the server's message.
Failure with_context(const Failure& failure, const std::string& context);
// How it reads among others: one line.
std::string line_of(const Failure& failure);

// Goes on after failures and tells of all of them at the end.
class Failures {
  public:
    void add(Failure failure) { failures_.push_back(std::move(failure)); }
    [[nodiscard]] bool empty() const { return failures_.empty(); }
    [[nodiscard]] Result<void> result() const;

  private:
    std::vector<Failure> failures_;
};

// Lines on standard error, after what was printed so far.
void warn(const std::string& line);

}  // namespace keelson::cli::kube
