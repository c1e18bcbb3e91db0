// Making, starting, stopping and destroying instances.
#include "cases.h"
#include "guard.h"
#include "host_table.h"
#include "memory_map.h"
#include "process_state.h"
#include "replies.h"

namespace keelson::check {
namespace {

void create(Session& session) {
    const auto instance = session.create_local();
    const keelson_instance& raw = instance->raw();
    if (!KEELSON_HAS_FIELD(&raw, keelson_instance, destroy)) {
        Session::stop_with(Outcome::fail, "create left struct_size at " + std::to_string(raw.struct_size) +
                                              ", the table has " + std::to_string(sizeof raw) + " bytes");
    }
    if (!is_function(raw.start)) session.fail("start does not point to code");
    if (!is_function(raw.stop)) session.fail("stop does not point to code");
    if (!is_function(raw.health)) session.fail("health does not point to code");
    if (!is_function(raw.capability)) session.fail("capability does not point to code");
    if (!is_function(raw.destroy)) session.fail("destroy does not point to code");
}

void refuse_unknown_abi(Session& session) {
    const keelson_host* host = full_host_table(session.state_directory().c_str());
    for (const std::uint32_t abi : {0u, session.plugin().entry().abi_maximum + 1, ~0u}) {
        const std::string where = "create with ABI " + std::to_string(abi);
        try {
            LocalInstance instance(session.plugin(), host, abi);
            session.fail(where + " answered KEELSON_OK");
        } catch (const CreateFailure& refusal) {
            session.expect_none(where, answer_problem(refusal.answer));
        }
    }
}

void destroy(Session& session) {
    session.create_local()->destroy();
}

void start(Session& session) {
    (void)session.create_started();
}

void stop(Session& session) {
    session.end(*session.create_started());
}

void stop_ends_threads(Session& session) {
    (void)session.plugin();
    const std::size_t before = running_threads();
    const auto instance = session.create_started_local();
    const Answer answer = instance->health({});
    (void)instance->stop();
    const std::size_t after = threads_settled_at(before);
    if (after > before) {
        session.fail(std::to_string(after - before) + " threads still run when stop has returned");
    }
}

void repeat(Session& session) {
    constexpr int rounds = 50;
    constexpr int warm_up_rounds = 10;
    constexpr std::size_t descriptor_tolerance = 4;
    constexpr std::size_t growth_limit_bytes = 4u << 20;
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    std::size_t memory = 0;
    for (int round = 0; round < rounds; ++round) {
        session.end(*session.create_started_local());
        if (round + 1 != warm_up_rounds) continue;
        descriptors = open_descriptors();
        threads = threads_settled_at(1);
        memory = resident_bytes();
    }
    const std::string in_rounds = " in " + std::to_string(rounds - warm_up_rounds) + " rounds";
    if (const std::size_t now = open_descriptors(); now > descriptors + descriptor_tolerance) {
        session.fail(std::to_string(now - descriptors) + " more descriptors" + in_rounds);
    }
    if (const std::size_t now = threads_settled_at(threads); now > threads) {
        session.fail(std::to_string(now - threads) + " more threads" + in_rounds);
    }
    if (const std::size_t now = resident_bytes(); now > memory + growth_limit_bytes) {
        session.warn(std::to_string((now - memory) >> 10) + " KiB more memory" + in_rounds);
    }
}

void two_at_once(Session& session) {
    const auto first = session.create_started_local();
    const auto second = session.create_local();
    if (first->raw().self == second->raw().self && first->raw().self != nullptr) {
        session.fail("both instances have the same self");
    }
    const Answer started = second->start(session.options().configuration);
    if (started.status != KEELSON_OK) session.fail("the second one's start answered " + describe(started));
    session.end(*first);
    if (started.status == KEELSON_OK) {
        const Answer health = second->health({});
        session.expect_none("health of the second one after the end of the first", answer_problem(health));
        session.end(*second);
    }
}

// Hosts of which the plugin may use less than today's host.h says.
void short_host(Session& session) {
    const keelson_host* full = full_host_table(session.state_directory().c_str());
    for (const std::size_t size : {offsetof(keelson_host, service), offsetof(keelson_host, monotonic_us),
                                   offsetof(keelson_host, metric), offsetof(keelson_host, log)}) {
        keelson_host cut = *full;
        cut.struct_size = static_cast<std::uint32_t>(size);
        const GuardedBytes table("struct keelson_host", &cut, size);
        try {
            LocalInstance instance(session.plugin(), static_cast<const keelson_host*>(table.data()));
            const Answer started = instance.start(session.options().configuration);
            if (started.status == KEELSON_OK) (void)instance.health({});
            if (started.status == KEELSON_OK) (void)instance.stop();
            instance.destroy();
        } catch (const CreateFailure& refusal) {
            session.expect_none("create with a host table of " + std::to_string(size) + " bytes",
                                answer_problem(refusal.answer));
        }
    }
}

// A host of an earlier version reserves less room for the instance.
void short_instance(Session& session) {
    const std::uint32_t size = offsetof(keelson_instance, destroy) + sizeof(keelson_instance::destroy);
    const keelson_instance blank{size};
    const GuardedBytes instance("struct keelson_instance", &blank, size);
    const keelson_entry& entry = session.plugin().entry();
    board().set_phase("calling create with room for an instance of this SDK");
    keelson_reply reply{};
    reply.struct_size = sizeof reply;
    reply.write = [](void*, const char*, std::size_t) {};
    reply.pass_descriptor = [](void*, int) -> std::int32_t { return KEELSON_EXHAUSTED; };
    const std::int32_t status =
        entry.create(KEELSON_ABI_MAXIMUM, full_host_table(session.state_directory().c_str()),
                     static_cast<keelson_instance*>(instance.data()), &reply);
    if (status != KEELSON_OK) session.fail(std::string("create answered ") + status_name(status));
}

void health(Session& session) {
    constexpr std::chrono::milliseconds limit{1000};
    const auto instance = session.create_started();
    for (int round = 0; round < 3; ++round) {
        const Answer answer = instance->health({});
        session.expect_none("health", answer_problem(answer));
        if (answer.status != KEELSON_OK) session.fail("health answered " + describe(answer));
        if (answer.status == KEELSON_OK && !bool_member(answer, "healthy")) {
            session.fail("the reply has no member \"healthy\" that is true or false");
        }
        if (bool_member(answer, "healthy") == false && !string_member(answer, "message")) {
            session.fail("not healthy, without a message");
        }
        if (answer.duration > limit) session.fail("it took longer than a second");
    }
}

}  // namespace

std::vector<Case> lifecycle_cases() {
    return {
        {"lifecycle.create",
         "create makes an instance with every method in its place.",
         {"library.abi"},
         create},
        {"lifecycle.unknown-abi",
         "create refuses ABI majors that the entry does not name.",
         {"lifecycle.create"},
         refuse_unknown_abi},
        {"lifecycle.destroy",
         "An instance that was never started can be destroyed.",
         {"lifecycle.create"},
         destroy},
        {"lifecycle.start", "An instance starts with its configuration.", {"lifecycle.create"}, start, false},
        {"lifecycle.stop",
         "A started instance stops and is destroyed.",
         {"lifecycle.start", "lifecycle.destroy"},
         stop,
         false},
        {"lifecycle.threads",
         "All threads of an instance have ended when stop returns.",
         {"lifecycle.stop"},
         stop_ends_threads},
        {"lifecycle.repeated",
         "Fifty instances one after another leave no descriptors, threads or memory behind.",
         {"lifecycle.stop", "lifecycle.threads"},
         repeat},
        {"lifecycle.two-instances", "Two instances run beside each other.", {"lifecycle.stop"}, two_at_once},
        {"lifecycle.short-host",
         "Nothing is read behind the end of a shorter host table.",
         {"lifecycle.stop"},
         short_host},
        {"lifecycle.short-instance",
         "Nothing is written behind the end of the instance.",
         {"lifecycle.create"},
         short_instance},
        {"health.answers", "health answers a valid document at once.", {"lifecycle.start"}, health, false},
    };
}

}  // namespace keelson::check
