// Every method of every capability: that it comes back, with what, and what it leaves behind.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "cases.h"
#include "process_state.h"
#include "replies.h"
#include "reply_sinks.h"

namespace keelson::check {
namespace {

using Problem = std::string (*)(const Answer&);

// Calls every method with {} and with its sample, and notes what `problem` finds in the answers.
void look_at_answers(Session& session, Problem problem) {
    const auto instance = session.create_started();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        for (const std::string& request : {std::string("{}"), session.sample(method)}) {
            Answer answer = instance->call(method, request, {});
            session.expect_none(method.name(), problem(answer));
            answer.close_descriptors();
        }
    });
}

void returns(Session& session) {
    look_at_answers(session, call_problem);
}

void status(Session& session) {
    look_at_answers(session, status_problem);
}

void document(Session& session) {
    look_at_answers(session, document_problem);
}

void errors(Session& session) {
    look_at_answers(session, error_problem);
}

void own_thread(Session& session) {
    look_at_answers(session, [](const Answer& answer) -> std::string {
        return answer.wrote_on_other_thread ? "another thread wrote its reply" : "";
    });
}

void bounds(Session& session) {
    const auto instance = session.create_started_local();
    CallSetup guarded;
    guarded.is_guarded = true;
    guarded.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    session.for_each_method(*instance, [&](const MethodReference& method) {
        for (const std::string& request : {std::string("{}"), session.sample(method)}) {
            instance->call(method, request, guarded).close_descriptors();
        }
    });
}

// A host of an earlier version, whose call ends before `traceparent` and whose reply ends after `write`.
void short_tables(Session& session) {
    const auto instance = session.create_started_local();
    CallSetup cut;
    cut.is_guarded = true;
    cut.call_size = offsetof(keelson_call, traceparent);
    cut.reply_size = offsetof(keelson_reply, pass_descriptor);
    session.for_each_method(*instance, [&](const MethodReference& method) {
        for (const std::string& request : {std::string("{}"), session.sample(method)}) {
            instance->call(method, request, cut).close_descriptors();
        }
    });
}

void late_use(Session& session) {
    constexpr std::chrono::milliseconds wait{150};
    const auto instance = session.create_started_local();
    CallSetup guarded;
    guarded.is_guarded = true;
    guarded.expires = true;
    guarded.sets_phase = false;
    session.for_each_method(*instance, [&](const MethodReference& method) {
        board().set_phase("waiting for late uses of the request or reply of " + method.name());
        const int before = late_reply_uses();
        instance->call(method, session.sample(method), guarded).close_descriptors();
        std::this_thread::sleep_for(wait);
        if (late_reply_uses() > before) session.fail(method.name() + " used its reply after it had returned");
    });
}

void keeps_descriptors(Session& session) {
    const auto instance = session.create_started_local();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        std::vector<int> passed;
        std::vector<std::string> before;
        for (int i = 0; i < 3; ++i) {
            passed.push_back(::memfd_create("keelson-check", MFD_CLOEXEC));
            before.push_back(identity_of(passed.back()));
        }
        CallSetup setup;
        setup.descriptors = passed;
        setup.label = "three descriptors";
        instance->call(method, session.sample(method), setup).close_descriptors();
        for (std::size_t i = 0; i < passed.size(); ++i) {
            if (identity_of(passed[i]) != before[i]) {
                session.fail(method.name() + " closed a descriptor that came with the call");
            }
            ::close(passed[i]);
        }
    });
}

void leaks_no_descriptors(Session& session) {
    constexpr int rounds = 20;
    const auto instance = session.create_started_local();
    session.for_each_method(*instance, [&](const MethodReference& method) {
        instance->call(method, "{}", {}).close_descriptors();
        instance->call(method, session.sample(method), {}).close_descriptors();
        const std::size_t before = open_descriptors();
        for (int round = 0; round < rounds; ++round) {
            instance->call(method, "{}", {}).close_descriptors();
            instance->call(method, session.sample(method), {}).close_descriptors();
        }
        // A method that opens something once in a while is not the same as one that forgets to close.
        if (const std::size_t now = open_descriptors(); now >= before + rounds) {
            session.fail(method.name() + " left " + std::to_string(now - before) +
                         " descriptors open after " + std::to_string(2 * rounds) + " calls");
        }
    });
}

struct Findings {
    std::mutex lock;
    std::string first;

    void note(const std::string& where, const std::string& problem) {
        if (problem.empty()) return;
        const std::lock_guard held(lock);
        if (first.empty()) first = where + ": " + problem;
    }
};

void call_often(Transport& instance, const std::vector<std::pair<MethodReference, std::string>>& requests,
                unsigned thread_number, std::chrono::steady_clock::time_point until, Findings& findings) {
    constexpr std::size_t calls = 200;
    CallSetup setup;
    setup.sets_phase = false;
    for (std::size_t i = 0; i < calls && std::chrono::steady_clock::now() < until; ++i) {
        const auto& [method, request] = requests[(i + thread_number) % requests.size()];
        Answer answer = instance.call(method, i % 4 == 0 ? "{}" : request, setup);
        findings.note(method.name(), answer_problem(answer));
        answer.close_descriptors();
        if (i % 16 == 0) findings.note("health", answer_problem(instance.health(setup)));
    }
}

void concurrent(Session& session) {
    constexpr int wanted_threads = 8;
    const int allowed = session.options().manifest ? session.options().manifest->concurrent_calls : 16;
    const auto thread_count = static_cast<unsigned>(std::clamp(allowed, 1, wanted_threads));
    const auto instance = session.create_started();
    std::vector<std::pair<MethodReference, std::string>> requests;
    session.for_each_method(*instance, [&](const MethodReference& method) {
        requests.emplace_back(method, session.sample(method));
    });
    board().set_phase("calling methods from " + std::to_string(thread_count) + " threads");
    Findings findings;
    const auto until = std::chrono::steady_clock::now() + session.options().timeout / 4;
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < thread_count; ++i) {
        threads.emplace_back([&, i] { call_often(*instance, requests, i, until, findings); });
    }
    threads.clear();
    if (!findings.first.empty()) session.fail(findings.first);
}

}  // namespace

std::vector<Case> method_cases() {
    return {
        {"methods.return",
         "Every method comes back, by returning.",
         {"lifecycle.start", "capabilities.tables"},
         returns,
         false},
        {"replies.status", "Every status is one of enum keelson_status.", {"methods.return"}, status, false},
        {"replies.document", "Every reply is exactly one JSON object.", {"methods.return"}, document, false},
        {"replies.errors",
         "Every failure says in its reply what is wrong.",
         {"replies.status", "replies.document"},
         errors,
         false},
        {"replies.thread", "Replies are written by the method's own thread.", {"methods.return"}, own_thread},
        {"methods.bounds",
         "Nothing is read behind the end of requests and tables.",
         {"methods.return"},
         bounds},
        {"methods.short-tables",
         "Nothing is read behind the end of shorter call and reply tables.",
         {"methods.bounds"},
         short_tables},
        {"methods.late-use",
         "Nothing of a call is used when the method has returned.",
         {"methods.bounds"},
         late_use},
        {"methods.passed-descriptors",
         "Descriptors that come with a call are left open.",
         {"methods.return"},
         keeps_descriptors},
        {"methods.descriptor-leaks",
         "Calls leave no descriptors open.",
         {"methods.passed-descriptors"},
         leaks_no_descriptors},
        {"methods.concurrent",
         "Eight threads call methods beside each other.",
         {"replies.*"},
         concurrent,
         false},
    };
}

}  // namespace keelson::check
