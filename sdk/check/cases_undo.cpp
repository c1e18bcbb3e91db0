// What every method that undoes something promises, and what volume.h promises beyond.
#include "cases.h"
#include "replies.h"

namespace keelson::check {
namespace {

// The method's sample names something that was never there.
void expect_undone(Session& session, std::string_view capability, std::string_view name) {
    const auto instance = session.create_started();
    const MethodReference method = session.require(*instance, capability, name);
    for (int round = 0; round < 2; ++round) {
        const Answer answer = instance->call(method, session.sample(method), {});
        session.expect_none(method.name(), answer_problem(answer));
        if (answer.status != KEELSON_OK) {
            session.fail(method.name() + " of something unknown answered " + describe(answer) +
                         "; undoing what is not done is KEELSON_OK");
        }
    }
}

void remove(Session& session) {
    expect_undone(session, KEELSON_VOLUME, "remove");
}

void detach(Session& session) {
    expect_undone(session, KEELSON_VOLUME, "detach");
}

void unstage(Session& session) {
    expect_undone(session, KEELSON_VOLUME, "unstage");
}

void unpublish(Session& session) {
    expect_undone(session, KEELSON_VOLUME, "unpublish");
}

void remove_snapshot(Session& session) {
    expect_undone(session, KEELSON_VOLUME_SNAPSHOT, "remove");
}

void detach_sandbox(Session& session) {
    expect_undone(session, KEELSON_POD_NETWORK, "detach");
}

void remove_sandbox(Session& session) {
    expect_undone(session, KEELSON_RUNTIME, "remove_sandbox");
}

void remove_container(Session& session) {
    expect_undone(session, KEELSON_RUNTIME, "remove_container");
}

std::string create_once(Session& session, Transport& instance, const MethodReference& method) {
    const Answer answer = instance.call(method, session.sample(method), {});
    session.expect_none(method.name(), answer_problem(answer));
    if (answer.status != KEELSON_OK) {
        Session::skip("it makes no volume of the kit's sample request: " + describe(answer));
    }
    if (!has_member(answer, "capacityBytes")) session.fail("the reply has no capacityBytes");
    const auto id = string_member(answer, "volumeId");
    if (!id || id->empty()) Session::stop_with(Outcome::fail, "the reply has no volumeId");
    return *id;
}

void create_again(Session& session) {
    const auto instance = session.create_started();
    const MethodReference create = session.require(*instance, KEELSON_VOLUME, "create");
    const std::string first = create_once(session, *instance, create);
    const std::string second = create_once(session, *instance, create);
    if (first != second) {
        session.fail("the same name made two volumes: " + printable(first) + " and " + printable(second));
    }
    const MethodReference remove = method_named(KEELSON_VOLUME, "remove");
    if (!instance->has(remove)) return;
    for (const std::string& id : {first, second}) {
        const Answer answer = instance->call(remove, R"({"volumeId":")" + id + "\"}", {});
        if (answer.status != KEELSON_OK) session.fail("remove answered " + describe(answer));
    }
}

}  // namespace

std::vector<Case> undo_cases() {
    const std::vector<std::string_view> basics = {"replies.*"};
    return {
        {"volume.create-again", "create makes one volume of a name, however often it is called.", basics,
         create_again, false},
        {"volume.remove-unknown", "remove of a volume that is not there is KEELSON_OK.", basics, remove,
         false},
        {"volume.detach-unknown", "detach of what is not attached is KEELSON_OK.", basics, detach, false},
        {"volume.unstage-unknown", "unstage of what is not staged is KEELSON_OK.", basics, unstage, false},
        {"volume.unpublish-unknown", "unpublish of what is not published is KEELSON_OK.", basics, unpublish,
         false},
        {"volume.remove-unknown-snapshot", "remove of a snapshot that is not there is KEELSON_OK.", basics,
         remove_snapshot, false},
        {"network.detach-unknown", "detach of a sandbox that is not attached is KEELSON_OK.", basics,
         detach_sandbox, false},
        {"runtime.remove-unknown-sandbox", "remove_sandbox of one that is not there is KEELSON_OK.", basics,
         remove_sandbox, false},
        {"runtime.remove-unknown-container", "remove_container of one that is not there is KEELSON_OK.",
         basics, remove_container, false},
    };
}

}  // namespace keelson::check
