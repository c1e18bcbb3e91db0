#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "driver.h"
#include "keelson/auth.hpp"
#include "keelson/network.hpp"
#include "keelson/volume.hpp"

namespace keelson {
namespace {

using testing::Answer;
using testing::Driven;
using testing::perform;
using testing::plain_call;
using testing::Sink;

template <typename Plugin>
keelson_entry entry_of() {
    return {sizeof(keelson_entry), 1, 1, "com.example.test", "1.0.0", &detail::Adapter<Plugin>::create};
}

const Json capability = {{"accessMode", "ReadWriteOnce"}, {"volumeMode", "Filesystem"}};

Json create_request() {
    return {{"name", "pvc-1"},
            {"capacityBytes", 5},
            {"capabilities", {capability}},
            {"parameters", {{"fail", ""}}}};
}

// Each way in which a method may go wrong, chosen by a parameter.
class Disk : public VolumePlugin {
  public:
    Disk(Host host, const Json& configuration) : host_(host) {
        if (configuration.contains("refuse")) throw Error(Code::invalid, "not like this", "refuse");
        host_.info("started");
    }
    volume::Created create(const volume::Create& request, const Call& call) {
        call.check();
        fail(request.parameters.at("fail"));
        return {request.name, request.capacity_bytes, {}, {}};
    }
    void remove(const volume::Remove& request) { removed = request.volume_id; }
    // With more than the struct knows.
    Json stats(const volume::StatsRequest& /*request*/) { return {{"extra", true}}; }
    volume::NodeInfo node_info() { return {"node-a", 3, {}}; }

    std::string removed;

  private:
    static void fail(const std::string& how) {
        if (how == "error") throw Error(Code::exhausted, "full", "capacityBytes");
        if (how == "exception") throw std::runtime_error("broken \xff disk");
        if (how == "memory") throw std::bad_alloc();
        if (how == "number") throw 7;
    }

    Host host_;
};

TEST(Wrapper, TableHasThePresentMethodsAndNullForOthers) {
    const Driven driven(entry_of<Disk>());
    const void* found = driven.instance.capability(driven.instance.self, KEELSON_VOLUME);
    const auto& table = *static_cast<const keelson_volume*>(found);
    EXPECT_EQ(table.struct_size, sizeof(keelson_volume));
    EXPECT_NE(table.create, nullptr);
    EXPECT_NE(table.remove, nullptr);
    EXPECT_NE(table.stats, nullptr);
    EXPECT_NE(table.node_info, nullptr);
    for (const keelson_method absent : {table.attach, table.detach, table.stage, table.unstage, table.publish,
                                        table.unpublish, table.expand, table.node_expand})
        EXPECT_EQ(absent, nullptr);
    EXPECT_EQ(found, driven.instance.capability(driven.instance.self, KEELSON_VOLUME));
}

TEST(Wrapper, CapabilitiesWithoutTagAreNull) {
    const Driven driven(entry_of<Disk>());
    for (const char* id :
         {KEELSON_VOLUME_SNAPSHOT, KEELSON_AUTHENTICATOR, KEELSON_HANDOVER, "keelson.volume/9", ""})
        EXPECT_EQ(driven.instance.capability(driven.instance.self, id), nullptr) << id;
    EXPECT_EQ(driven.instance.capability(driven.instance.self, nullptr), nullptr);
}

TEST(Wrapper, MethodsAnswer) {
    const Driven driven(entry_of<Disk>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    const Answer created = driven.call(KEELSON_VOLUME, "create", create_request());
    EXPECT_EQ(created.status, KEELSON_OK);
    EXPECT_EQ(created.document, Json({{"volumeId", "pvc-1"}, {"capacityBytes", 5}}));
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "remove", {{"volumeId", "a"}}).document, Json::object());
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "stats", {{"volumeId", "a"}, {"path", "/"}}).document,
              Json({{"extra", true}}));
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "node_info", Json::object()).document,
              Json({{"nodeId", "node-a"}, {"maximumVolumes", 3}}));
}

TEST(Wrapper, ThrownErrorsBecomeErrorDocuments) {
    const Driven driven(entry_of<Disk>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    const auto failing = [&](const char* how) {
        Json request = create_request();
        request["parameters"]["fail"] = how;
        return driven.call(KEELSON_VOLUME, "create", request);
    };
    EXPECT_EQ(failing("error").status, KEELSON_EXHAUSTED);
    EXPECT_EQ(failing("error").message(), "full");
    EXPECT_EQ(failing("error").field(), "capacityBytes");
    EXPECT_EQ(failing("exception").status, KEELSON_INTERNAL);
    EXPECT_EQ(failing("exception").message(), "broken \xEF\xBF\xBD disk");
    EXPECT_EQ(failing("memory").status, KEELSON_EXHAUSTED);
    EXPECT_NE(failing("memory").message(), "");
    EXPECT_EQ(failing("number").status, KEELSON_INTERNAL);
}

TEST(Wrapper, BrokenRequestsAreInvalidAndNameTheField) {
    const Driven driven(entry_of<Disk>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    const auto field_of = [&](const Json& patch) {
        Json request = create_request();
        request.merge_patch(patch);
        const Answer answer = driven.call(KEELSON_VOLUME, "create", request);
        EXPECT_EQ(answer.status, KEELSON_INVALID) << patch;
        return answer.field();
    };
    EXPECT_EQ(field_of({{"name", nullptr}}), "name");
    EXPECT_EQ(field_of({{"name", 3}}), "name");
    EXPECT_EQ(field_of({{"capacityBytes", "5"}}), "capacityBytes");
    EXPECT_EQ(field_of({{"capacityBytes", 18446744073709551615U}}), "capacityBytes");
    EXPECT_EQ(field_of({{"capabilities", {{{"volumeMode", "Block"}}}}}), "capabilities[0].accessMode");
    EXPECT_EQ(field_of({{"capabilities", Json::object()}}), "capabilities");
    EXPECT_EQ(field_of({{"parameters", {{"size", 3}}}}), "parameters.size");
    EXPECT_EQ(field_of({{"source", {{"volumeId", false}}}}), "source.volumeId");
    for (const char* text : {"[]", "3", "{", "nonsense", "{}", ""})
        EXPECT_EQ(driven.call_text(KEELSON_VOLUME, "create", text).status, KEELSON_INVALID) << text;
    const std::string deep = R"({"name":)" + std::string(1000000, '[');
    EXPECT_EQ(driven.call_text(KEELSON_VOLUME, "create", deep).status, KEELSON_INVALID);
}

TEST(Wrapper, UnknownFieldsAreIgnored) {
    const Driven driven(entry_of<Disk>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    Json request = create_request();
    request["future"] = {{"deep", {1, 2}}};
    request["capabilities"][0]["future"] = "[[[[";
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "create", request).status, KEELSON_OK);
}

TEST(Wrapper, LifeOfAnInstance) {
    const Driven driven(entry_of<Disk>());
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "node_info", Json::object()).status, KEELSON_INTERNAL);
    const Answer refused = driven.start({{"refuse", true}});
    EXPECT_EQ(refused.status, KEELSON_INVALID);
    EXPECT_EQ(refused.field(), "refuse");
    EXPECT_EQ(driven.start().document, Json::object());
    EXPECT_EQ(driven.start().status, KEELSON_CONFLICT);
    EXPECT_EQ(driven.health().document, Json({{"healthy", true}}));
    EXPECT_EQ(driven.stop().document, Json::object());
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "node_info", Json::object()).status, KEELSON_INTERNAL);
}

class Sick : public VolumePlugin {
  public:
    Health health() { return {false, "no disk"}; }
    ~Sick() noexcept(false) { throw std::runtime_error("cannot stop"); }  // NOLINT: what is tested
};

TEST(Wrapper, OwnHealthAndThrowingDestructor) {
    const Driven driven(entry_of<Sick>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    EXPECT_EQ(driven.health().document, Json({{"healthy", false}, {"message", "no disk"}}));
    EXPECT_EQ(driven.stop().message(), "cannot stop");
    ASSERT_EQ(driven.start().status, KEELSON_OK);
}

TEST(Wrapper, CreateRefusesForeignVersionsAndSmallTables) {
    const keelson_entry entry = entry_of<Disk>();
    keelson_instance instance{};
    instance.struct_size = sizeof(instance);
    Sink error;
    EXPECT_EQ(entry.create(2, nullptr, &instance, error.reply()), KEELSON_UNSUPPORTED);
    EXPECT_NE(error.document().value("message", ""), "");
    EXPECT_EQ(entry.create(0, nullptr, &instance, nullptr), KEELSON_UNSUPPORTED);
    instance.struct_size = 16;
    EXPECT_EQ(entry.create(1, nullptr, &instance, nullptr), KEELSON_UNSUPPORTED);
    EXPECT_EQ(instance.self, nullptr);
    instance.struct_size = 0;
    ASSERT_EQ(entry.create(1, nullptr, &instance, nullptr), KEELSON_OK);
    EXPECT_EQ(instance.struct_size, sizeof(instance));
    instance.destroy(instance.self);
}

// Two capabilities with methods of the same names, and a handover.
class Everything : public VolumePlugin,
                   public SnapshotPlugin,
                   public ServiceProxyPlugin,
                   public DnsPlugin,
                   public AuthenticatorPlugin {
  public:
    volume::Created create(const volume::Create& request) { return {request.name, 1, {}, {}}; }
    snapshot::Created create(const snapshot::Create& request) { return {request.name, 2, "", true}; }
    void remove(const snapshot::Remove& /*request*/) {}
    proxy::State state() { return {7}; }
    dns::State state(const dns::StateRequest& /*request*/) { return {8, {"10.96.0.10:53"}}; }
    void clear(const Call& call) { call.check(); }
    authentication::Authenticated authenticate(const authentication::Authenticate& request) {
        return {request.token == "good", authentication::User{"ann", "", {}, {}}, {}, "", 0};
    }

    Json give(Descriptors& descriptors) {
        descriptors.push_back(Descriptor::duplicate(STDOUT_FILENO));
        return {{"generation", 7}};
    }
    void adopt(const Json& state, Descriptors descriptors) {
        if (state.at("generation") != 7 || descriptors.size() != 1) throw Error(Code::invalid, "not mine");
        kept = std::move(descriptors);
    }
    void quiesce() {}

    Descriptors kept;
};

TEST(Wrapper, SeveralCapabilitiesInOneClass) {
    const Driven driven(entry_of<Everything>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    EXPECT_EQ(driven.call(KEELSON_VOLUME, "create", create_request()).document["capacityBytes"], 1);
    const Json snapshot = {{"name", "s"}, {"volumeId", "v"}, {"parameters", Json::object()}};
    EXPECT_EQ(driven.call(KEELSON_VOLUME_SNAPSHOT, "create", snapshot).document["snapshotId"], "s");
    EXPECT_EQ(driven.method(KEELSON_VOLUME, "remove"), nullptr);
    EXPECT_NE(driven.method(KEELSON_VOLUME_SNAPSHOT, "remove"), nullptr);
    EXPECT_EQ(driven.call(KEELSON_SERVICE_PROXY, "state", Json::object()).document,
              Json({{"generation", 7}, {"intact", true}}));
    EXPECT_EQ(driven.call(KEELSON_DNS, "state", Json::object()).document["generation"], 8);
    EXPECT_EQ(driven.call(KEELSON_SERVICE_PROXY, "clear", Json::object()).document, Json::object());
    const Json known = {{"token", "good"}, {"audiences", Json::array()}};
    EXPECT_EQ(driven.call(KEELSON_AUTHENTICATOR, "authenticate", known).document["user"]["username"], "ann");
}

TEST(Wrapper, HandoverCarriesStateAndDescriptors) {
    const Driven old_one(entry_of<Everything>());
    const Driven new_one(entry_of<Everything>());
    ASSERT_EQ(old_one.start().status, KEELSON_OK);
    ASSERT_EQ(new_one.start().status, KEELSON_OK);
    EXPECT_EQ(old_one.call(KEELSON_HANDOVER, "quiesce", Json::object()).document, Json::object());
    EXPECT_EQ(old_one.method(KEELSON_HANDOVER, "resume"), nullptr);

    Sink given;
    const Answer gave =
        perform(old_one.method(KEELSON_HANDOVER, "give"), old_one.instance.self, "{}", plain_call(), given);
    EXPECT_EQ(gave.document, Json({{"state", {{"generation", 7}}}}));
    ASSERT_EQ(given.descriptors.size(), 1U);

    keelson_call call = plain_call();
    call.descriptors = given.descriptors.data();
    call.descriptor_count = 1;
    Sink adopted;
    const keelson_method adopt = new_one.method(KEELSON_HANDOVER, "adopt");
    EXPECT_EQ(perform(adopt, new_one.instance.self, given.text, call, adopted).status, KEELSON_OK);
    EXPECT_EQ(new_one.call_text(KEELSON_HANDOVER, "adopt", given.text).status, KEELSON_INVALID);
}

class Connector : public PodNetworkPlugin {
  public:
    pod_network::Attached attach(const pod_network::Attach& /*request*/, const Call& call) {
        const Descriptor mine = call.duplicate_descriptor(0);
        for (int count = 0; count < 2; ++count) call.pass_descriptor(mine.get());
        return {{"fd " + std::to_string(call.descriptor(0) != mine.get())}, "", 1400};
    }
};

const char* const attach_request =
    R"({"sandboxId":"s","pod":{"name":"p","namespace":"n","uid":"u"},"hostPorts":[]})";

TEST(Wrapper, DescriptorsComeAndGo) {
    const Driven driven(entry_of<Connector>());
    ASSERT_EQ(driven.start().status, KEELSON_OK);
    const keelson_method attach = driven.method(KEELSON_POD_NETWORK, "attach");
    const Descriptor null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
    const int passed = null_device.get();
    keelson_call call = plain_call();
    call.descriptors = &passed;
    call.descriptor_count = 1;
    Sink sink;
    const Answer answer = perform(attach, driven.instance.self, attach_request, call, sink);
    EXPECT_EQ(answer.document["addresses"][0], "fd 1");
    EXPECT_EQ(answer.document["mtu"], 1400);
    EXPECT_EQ(sink.descriptors.size(), 2U);

    Sink none;
    EXPECT_EQ(perform(attach, driven.instance.self, attach_request, plain_call(), none).status,
              KEELSON_INVALID);

    Sink old_host;
    old_host.reply()->struct_size = offsetof(keelson_reply, pass_descriptor);
    EXPECT_EQ(perform(attach, driven.instance.self, attach_request, call, old_host).status,
              KEELSON_UNSUPPORTED);
}

TEST(CallContext, ReadsWhatTheTableHolds) {
    keelson_call table = plain_call();
    std::int32_t cancelled = 0;
    table.deadline_us = 500;
    table.cancelled = &cancelled;
    table.traceparent = "00-1-2-03";
    const Call call(&table, nullptr);
    EXPECT_EQ(call.deadline(), std::chrono::microseconds(500));
    EXPECT_EQ(call.traceparent(), "00-1-2-03");
    EXPECT_FALSE(call.is_cancelled());
    EXPECT_NO_THROW(call.check(std::chrono::microseconds(499)));
    EXPECT_THROW(call.check(std::chrono::microseconds(500)), Error);
    cancelled = 1;
    EXPECT_TRUE(call.is_cancelled());
    EXPECT_THROW(call.check(), Error);
    EXPECT_THROW(call.pass_descriptor(1), Error);
    EXPECT_EQ(call.until(std::chrono::microseconds(9)).deadline(), std::chrono::microseconds(9));
}

TEST(CallContext, OlderTablesHaveLess) {
    keelson_call table = plain_call();
    const int descriptor = 1;
    table.descriptors = &descriptor;
    table.descriptor_count = 1;
    table.deadline_us = 500;
    table.struct_size = offsetof(keelson_call, deadline_us);
    const Call call(&table, nullptr);
    EXPECT_EQ(call.descriptor_count(), 1U);
    EXPECT_EQ(call.deadline(), std::nullopt);
    EXPECT_FALSE(call.is_cancelled());
    EXPECT_EQ(call.traceparent(), "");
    table.struct_size = offsetof(keelson_call, descriptors);
    EXPECT_EQ(Call(&table, nullptr).descriptor_count(), 0U);
    EXPECT_FALSE(Call(nullptr, nullptr).deadline().has_value());
}

// A host that writes down what it is asked.
struct RecordingHost {
    std::string lines;
    keelson_host_objects objects{sizeof(keelson_host_objects), &get, &refuse, nullptr};
    keelson_host table{sizeof(keelson_host), this,  &log,          &metric, &event, &reconcile,
                       "/var/lib/test",      &soon, &unix_seconds, &service};

    static RecordingHost& of(void* context) { return *static_cast<RecordingHost*>(context); }
    static std::string text(keelson_bytes bytes) { return {bytes.data, bytes.size}; }
    static void log(void* context, std::int32_t level, keelson_bytes message) {
        of(context).lines += std::to_string(level) + " " + text(message) + "\n";
    }
    static void metric(void* context, std::int32_t kind, const char* name, double value,
                       keelson_bytes labels) {
        of(context).lines +=
            std::to_string(kind) + " " + name + " " + std::to_string(int(value)) + " " + text(labels) + "\n";
    }
    static void event(void* context, keelson_bytes event) { of(context).lines += text(event) + "\n"; }
    static void reconcile(void* context, keelson_bytes key) { of(context).lines += text(key) + "\n"; }
    static std::int64_t soon(void* /*context*/) { return 11; }
    static std::int64_t unix_seconds(void* /*context*/) { return 22; }
    static const void* service(void* context, const char* id) {
        return std::string_view(id) == KEELSON_HOST_OBJECTS ? &of(context).objects : nullptr;
    }
    // Answers in pieces, the smallest that there are.
    static std::int32_t get(void* /*self*/, const keelson_call* call, keelson_bytes request,
                            keelson_reply* reply) {
        const std::string answer =
            R"({"asked":)" + text(request) + R"(,"deadline":)" + std::to_string(call->deadline_us) + "}";
        for (const char& character : answer) reply->write(reply->context, &character, 1);
        return KEELSON_OK;
    }
    static std::int32_t refuse(void* /*self*/, const keelson_call* /*call*/, keelson_bytes /*request*/,
                               keelson_reply* reply) {
        const std::string_view answer = R"({"message":"not yours","field":"resource"})";
        reply->write(reply->context, answer.data(), answer.size());
        return KEELSON_FORBIDDEN;
    }
};

TEST(HostServices, ReachTheTable) {
    RecordingHost recording;
    const Host host(&recording.table);
    host.warn("careful");
    host.count("mounts");
    host.gauge("bytes", 5, {{"disk", "a"}});
    host.request_reconcile("pod/1");
    host.event({{"v1", "Pod", "default", "web", ""}, "Warning", "Slow", "Mount", "the disk is slow"});
    EXPECT_EQ(recording.lines,
              "2 careful\n0 mounts 1 \n1 bytes 5 {\"disk\":\"a\"}\npod/1\n"
              R"({"action":"Mount","message":"the disk is slow","reason":"Slow",)"
              R"("regarding":{"apiVersion":"v1","kind":"Pod","name":"web","namespace":"default"},)"
              "\"type\":\"Warning\"}\n");
    EXPECT_EQ(host.state_directory(), "/var/lib/test");
    EXPECT_EQ(host.monotonic().count(), 11);
    EXPECT_EQ(host.unix_time().count(), 22);
}

TEST(HostServices, ObjectsAnswerInPiecesAndRefuse) {
    RecordingHost recording;
    const auto objects = Host(&recording.table).objects();
    ASSERT_TRUE(objects.has_value());
    const Json found =
        objects->get({"v1", "secrets", "default", "key"}, Call().until(std::chrono::microseconds(5)));
    EXPECT_EQ(found["asked"]["namespace"], "default");
    EXPECT_EQ(found["deadline"], 5);
    try {
        static_cast<void>(objects->list({"v1", "pods", "", "", ""}));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::forbidden);
        EXPECT_EQ(error.what(), std::string("not yours"));
        EXPECT_EQ(error.field(), "resource");
    }
    EXPECT_THROW(static_cast<void>(objects->watch({"v1", "pods", "", "", "", "1"}, Call())), Error);
    recording.objects.struct_size = offsetof(keelson_host_objects, get);
    EXPECT_THROW(static_cast<void>(objects->get({"v1", "pods", "", "x"})), Error);
}

// A host whose watch tells one change, then that the version is too old, then nothing any more.
struct ChangingHost {
    int lists = 0;
    int watches = 0;
    std::string versions;
    Cancellation cancellation;
    keelson_host_objects objects{sizeof(keelson_host_objects), nullptr, &list, &watch};
    keelson_host table{
        sizeof(keelson_host), this, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &service};

    static ChangingHost& of(void* context) { return *static_cast<ChangingHost*>(context); }
    static const void* service(void* context, const char* /*id*/) { return &of(context).objects; }
    static std::int32_t answer(keelson_reply* reply, std::string_view text, std::int32_t status) {
        reply->write(reply->context, text.data(), text.size());
        return status;
    }
    static std::int32_t list(void* self, const keelson_call* /*call*/, keelson_bytes /*request*/,
                             keelson_reply* reply) {
        if (++of(self).lists == 1) return answer(reply, R"({"message":"not yet"})", KEELSON_UNAVAILABLE);
        return answer(reply, R"({"items":[{"a":1}],"resourceVersion":"5"})", KEELSON_OK);
    }
    static std::int32_t watch(void* self, const keelson_call* call, keelson_bytes request,
                              keelson_reply* reply) {
        ChangingHost& host = of(self);
        host.versions +=
            Json::parse(RecordingHost::text(request))["resourceVersion"].get<std::string>() + " ";
        switch (++host.watches) {
            case 1:
                return answer(reply, R"({"events":[{"type":"ADDED","object":{}}],"resourceVersion":"6"})",
                              KEELSON_OK);
            case 2:
                return answer(reply, R"({"message":"too old"})", KEELSON_CONFLICT);
            default:
                host.cancellation.cancel();
                EXPECT_TRUE(keelson_is_cancelled(call));
                return answer(reply, R"({"events":[],"resourceVersion":"6"})", KEELSON_OK);
        }
    }
};

TEST(HostServices, FollowingListsAgainWhenChangesAreLost) {
    ChangingHost host;
    const auto objects = Host(&host.table).objects();
    int presented = 0;
    std::string changes;
    objects->follow(
        {"v1", "pods", "", "", ""}, host.cancellation, [&](const objects::Listed&) { ++presented; },
        [&](const objects::Change& change) { changes += change.type; }, std::chrono::milliseconds(0));
    EXPECT_EQ(presented, 2);
    EXPECT_EQ(changes, "ADDED");
    EXPECT_EQ(host.lists, 3) << "the first one was told to try again";
    EXPECT_EQ(host.versions, "5 6 5 ");
}

TEST(HostServices, FollowingEndsWithARefusal) {
    RecordingHost recording;
    const auto objects = Host(&recording.table).objects();
    const Cancellation cancellation;
    EXPECT_THROW(objects->follow(
                     {"v1", "pods", "", "", ""}, cancellation, [](const objects::Listed&) {},
                     [](const objects::Change&) {}),
                 Error);
}

TEST(HostServices, AreSafeWithoutThem) {
    keelson_host empty{};
    empty.struct_size = sizeof(empty);
    RecordingHost recording;
    recording.table.struct_size = offsetof(keelson_host, log);
    for (const keelson_host* table :
         {static_cast<const keelson_host*>(nullptr), static_cast<const keelson_host*>(&empty),
          static_cast<const keelson_host*>(&recording.table)}) {
        const Host host(table);
        host.error("nobody hears");
        host.observe("seconds", 1);
        host.event({});
        host.request_reconcile("");
        EXPECT_FALSE(host.objects().has_value());
        EXPECT_GT(host.monotonic().count(), 0);
        EXPECT_GT(host.unix_time().count(), 0);
        EXPECT_THROW(static_cast<void>(host.state_directory()), Error);
    }
    EXPECT_EQ(recording.lines, "");
}

TEST(Documents, ConvertAsTheLibraryDoes) {
    volume::Expand request;
    request.volume_id = "v";
    request.capability = {"ReadWriteOnce", "Block", "", {}};
    const Json json = request;
    EXPECT_EQ(json["capability"], Json({{"accessMode", "ReadWriteOnce"}, {"volumeMode", "Block"}}));
    EXPECT_FALSE(json.contains("limitBytes"));
    EXPECT_EQ(json.get<volume::Expand>().volume_id, "v");
    EXPECT_THROW(static_cast<void>(Json::object().get<volume::Expand>()), Error);
}

TEST(Descriptors, CloseWithTheirOwner) {
    int number = -1;
    {
        Descriptor first = Descriptor::duplicate(STDOUT_FILENO);
        number = first.get();
        const Descriptor second = std::move(first);
        EXPECT_EQ(second.get(), number);
        EXPECT_NE(::fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_EQ(::fcntl(number, F_GETFD), -1);
    EXPECT_THROW(Descriptor::duplicate(-1), Error);
}

}  // namespace
}  // namespace keelson

KEELSON_PLUGIN(keelson::Everything, "com.example.everything", "2.1.0")

TEST(Entry, SaysWhoItIs) {
    const keelson_entry& entry = *keelson_plugin();
    EXPECT_EQ(entry.struct_size, sizeof(keelson_entry));
    EXPECT_EQ(entry.abi_minimum, KEELSON_ABI_MINIMUM);
    EXPECT_EQ(entry.abi_maximum, KEELSON_ABI_MAXIMUM);
    EXPECT_STREQ(entry.id, "com.example.everything");
    EXPECT_STREQ(entry.version, "2.1.0");
}
