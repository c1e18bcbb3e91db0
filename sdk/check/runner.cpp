#include "runner.h"

#include <fnmatch.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "child.h"
#include "guard.h"
#include "scratch.h"

namespace keelson::check {
namespace {

using Outcomes = std::map<std::string_view, Outcome>;

bool matches(const std::string& pattern, std::string_view id) {
    return ::fnmatch(pattern.c_str(), std::string(id).c_str(), 0) == 0;
}

// Why the case cannot run; empty when it can. Cases that were not selected do not stand in the way.
std::string missing_need(const Case& wanted, const Outcomes& outcomes) {
    for (const std::string_view need : wanted.needs) {
        for (const auto& [id, outcome] : outcomes) {
            const bool is_met = outcome == Outcome::pass || outcome == Outcome::warn;
            if (!is_met && matches(std::string(need), id)) {
                return "needs " + std::string(id) + ", which did not pass";
            }
        }
    }
    return {};
}

// FNV-1a: every case has numbers of its own, whichever others run.
std::uint64_t seed_for(std::uint64_t seed, std::string_view id) {
    std::uint64_t hash = 14695981039346656037u ^ seed;
    for (const char character : id) hash = (hash ^ static_cast<unsigned char>(character)) * 1099511628211u;
    return hash;
}

std::string crash_reason(const ChildEnd& end) {
    std::string reason = WIFSIGNALED(end.wait_status) ? "crashed with " : "ended the process with ";
    reason += describe_end(end.wait_status) + " while " + board().phase();
    if (const std::string note = board().memory_note(); !note.empty()) reason += ": " + note;
    return reason;
}

CaseResult result_of(const Case& of, const ChildEnd& end, const Options& options) {
    CaseResult result{&of, Outcome::fail, {}, end.output};
    if (end.has_timed_out) {
        result.reason =
            "not done after " + std::to_string(options.timeout.count()) + " ms, while " + board().phase();
        return result;
    }
    const bool is_finished = WIFEXITED(end.wait_status) && WEXITSTATUS(end.wait_status) == finished_exit_code;
    if (!is_finished || board().outcome() == Outcome::none) {
        result.reason = crash_reason(end);
        return result;
    }
    result.outcome = board().outcome();
    result.reason = board().reason();
    return result;
}

CaseResult run_case(const Case& of, const Options& options, const Scratch& scratch) {
    const std::string directory = scratch.make_directory(of.id);
    board().clear();
    board().set_phase("beginning");
    const auto body = [&] {
        // A fault's alternative stack is not needed: the handler uses a few hundred bytes.
        install_fault_notes();
        Session(options, directory, seed_for(options.seed, of.id)).run(of.body);
    };
    const auto begin = std::chrono::steady_clock::now();
    const ChildEnd end = run_in_child(body, options.timeout);
    CaseResult result = result_of(of, end, options);
    result.duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
    return result;
}

}  // namespace

std::vector<const Case*> selected_cases(const Options& options) {
    std::vector<const Case*> selected;
    for (const Case& one : all_cases()) {
        const auto& patterns = options.only;
        const bool is_wanted = patterns.empty() ||
                               std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                                   return matches(pattern, one.id) || matches(pattern + ".*", one.id);
                               });
        if (is_wanted) selected.push_back(&one);
    }
    return selected;
}

std::vector<CaseResult> run_cases(const Options& options, const std::vector<const Case*>& cases,
                                  const std::function<void(const CaseResult&)>& done) {
    use_board(Board::make());
    const Scratch scratch;
    std::vector<CaseResult> results;
    Outcomes outcomes;
    for (const Case* one : cases) {
        CaseResult result{one, Outcome::skip, missing_need(*one, outcomes), {}};
        if (result.reason.empty() && options.is_isolated && one->is_local) {
            result.reason = "looks at the file itself; run it without --isolated";
        } else if (result.reason.empty()) {
            result = run_case(*one, options, scratch);
        }
        // What a plugin leaves out is no reason to leave out what comes after.
        const bool is_left_out = result.outcome == Outcome::skip && !missing_need(*one, outcomes).empty();
        if (result.outcome != Outcome::skip || is_left_out) outcomes[one->id] = result.outcome;
        done(result);
        results.push_back(std::move(result));
    }
    return results;
}

}  // namespace keelson::check
