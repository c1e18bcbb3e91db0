// Carrying state from one instance to the next.
#include "cases.h"
#include "replies.h"

namespace keelson::check {
namespace {

// Calls a method of the handover that has to work.
Answer must(Session& session, Transport& instance, const char* name, const std::string& request,
            const std::vector<int>& descriptors = {}) {
    const MethodReference method = session.require(instance, KEELSON_HANDOVER, name);
    CallSetup setup;
    setup.descriptors = descriptors;
    Answer answer = instance.call(method, request, setup);
    session.expect_none(name, answer_problem(answer));
    if (answer.status != KEELSON_OK) {
        Session::stop_with(Outcome::fail, std::string(name) + " answered " + describe(answer));
    }
    return answer;
}

void expect_methods_work(Session& session, Transport& instance) {
    session.expect_none("health", answer_problem(instance.health({})));
    for (const MethodReference& method : methods_of(instance)) {
        Answer answer = instance.call(method, session.sample(method), {});
        session.expect_none(method.name(), answer_problem(answer));
        if (answer.status == KEELSON_UNAVAILABLE) {
            session.fail(method.name() + " still answers " + describe(answer));
        }
        answer.close_descriptors();
    }
}

void round_trip(Session& session) {
    const auto first = session.create_started();
    (void)session.require(*first, KEELSON_HANDOVER, "quiesce");
    const auto second = session.create_started();
    must(session, *first, "quiesce", "{}");
    Answer given = must(session, *first, "give", "{}");
    if (!has_member(given, "state")) session.fail("the reply of give has no state");
    must(session, *second, "adopt", given.body, given.descriptors);
    given.close_descriptors();
    session.end(*first);
    expect_methods_work(session, *second);
    session.end(*second);
}

void resume(Session& session) {
    const auto instance = session.create_started();
    (void)session.require(*instance, KEELSON_HANDOVER, "resume");
    for (int round = 0; round < 2; ++round) {
        must(session, *instance, "quiesce", "{}");
        must(session, *instance, "give", "{}").close_descriptors();
        must(session, *instance, "resume", "{}");
        expect_methods_work(session, *instance);
    }
    session.end(*instance);
}

void adopt_garbage(Session& session) {
    std::vector<std::string> requests = no_objects();
    requests.insert(requests.end(), {"{}", R"({"state":null})", R"({"state":[1,2]})", R"({"state":"x"})",
                                     R"({"state":{"version":-1}})", nested_objects(1000)});
    for (const std::string& request : requests) {
        const auto instance = session.create_started();
        const MethodReference method = session.require(*instance, KEELSON_HANDOVER, "adopt");
        const Answer answer = instance->call(method, request, {});
        session.expect_none("adopt of " + printable(request, 60), answer_problem(answer));
        session.end(*instance);
    }
}

void stop_quiesced(Session& session) {
    const auto instance = session.create_started();
    must(session, *instance, "quiesce", "{}");
    session.end(*instance);
}

}  // namespace

std::vector<Case> handover_cases() {
    const std::vector<std::string_view> basics = {"replies.*", "lifecycle.stop", "lifecycle.two-instances"};
    return {
        {"handover.stop", "A quiesced instance can be stopped.", basics, stop_quiesced, false},
        {"handover.round-trip",
         "What one instance gives another adopts, and works with.",
         {"handover.stop"},
         round_trip,
         false},
        {"handover.resume",
         "An instance whose handover failed goes on as before.",
         {"handover.stop"},
         resume,
         false},
        {"handover.adopt-garbage",
         "adopt survives what no instance has given.",
         {"handover.stop"},
         adopt_garbage,
         false},
    };
}

}  // namespace keelson::check
