// A plugin as a plain C++17 class. Include the header of each capability (volume.hpp, network.hpp,
// runtime.hpp, ingress.hpp, auth.hpp), derive from its tag and write the methods that the plugin has:
//
//   class MyDisk : public keelson::VolumePlugin {
//     public:
//       MyDisk(keelson::Host host, const keelson::Json& config);
//       void publish(const keelson::volume::Publish& request);
//       keelson::volume::Created create(const keelson::volume::Create& request, const keelson::Call& call);
//   };
//   KEELSON_PLUGIN(MyDisk, "com.example.mydisk", "1.0.0")
//
// Construction is the start, destruction the stop. The constructor takes (Host, const Json&), (const Json&),
// (Host) or nothing. A method takes its request, or its request and the Call; where the request has no fields
// also only the Call, or nothing. It returns the reply's struct, void when the reply has no fields, or Json
// to answer with more than the struct knows. A method that the class does not have is null in the table.
// Methods run in any thread and beside each other, see entry.h.
//
// Optional: `Health health()`; and for a swap without a gap `Json give(Descriptors&)` with
// `void adopt(const Json&, Descriptors)`, and `void quiesce()`, `void resume()`.
#ifndef KEELSON_PLUGIN_HPP
#define KEELSON_PLUGIN_HPP

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "keelson/call.hpp"
#include "keelson/document.hpp"
#include "keelson/entry.h"
#include "keelson/error.hpp"
#include "keelson/host.hpp"

namespace keelson {

// The tags; each is defined in the header of its capability.
struct AuthenticatorPlugin;
struct AuthorizerPlugin;
struct TokenIssuerPlugin;
struct VolumePlugin;
struct SnapshotPlugin;
struct PodNetworkPlugin;
struct ServiceProxyPlugin;
struct DnsPlugin;
struct RuntimePlugin;
struct ImagesPlugin;
struct IngressPlugin;
struct LoadBalancerPlugin;

struct Health {
    bool healthy = true;
    std::string message;
    KEELSON_FIELDS(field.required("healthy", self.healthy).optional("message", self.message))
};

namespace detail {

// For each tag: the id, the type of the table and the slots of its methods.
template <typename Tag>
struct Binding;

template <typename... Tags>
struct TagList {};
using AllTags = TagList<AuthenticatorPlugin, AuthorizerPlugin, TokenIssuerPlugin, VolumePlugin,
                        SnapshotPlugin, PodNetworkPlugin, ServiceProxyPlugin, DnsPlugin, RuntimePlugin,
                        ImagesPlugin, IngressPlugin, LoadBalancerPlugin>;

// A slot is what a table has a pointer for: a method's name, its request and its reply.
#define KEELSON_DETAIL_SLOT(method, RequestType, ReplyType)             \
    struct method {                                                     \
        using Request = RequestType;                                    \
        using Reply = ReplyType;                                        \
        static constexpr const char* name = #method;                    \
        struct Namesake {                                               \
            int method;                                                 \
        };                                                              \
        template <typename Probe>                                       \
        using Member = decltype(&Probe::method);                        \
        template <typename Plugin, typename... Arguments>               \
        static auto call(Plugin& plugin, const Arguments&... arguments) \
            -> decltype(plugin.method(arguments...)) {                  \
            return plugin.method(arguments...);                         \
        }                                                               \
    };

#define KEELSON_DETAIL_POINTER(methods, method) table.method = pointer<Plugin, methods::method>();
#define KEELSON_DETAIL_SERVES(methods, method) \
    || (name == methods::method::name && Callable<methods::method, Plugin>::value)

// Binds a tag to its table through the list of methods that the C header gives, so that none is forgotten.
#define KEELSON_DETAIL_BIND(Tag, identifier, TableType, LIST, methods)         \
    template <>                                                                \
    struct detail::Binding<Tag> {                                              \
        using Table = TableType;                                               \
        static constexpr const char* id = identifier;                          \
        template <typename Plugin>                                             \
        static constexpr bool serves([[maybe_unused]] std::string_view name) { \
            return false LIST(KEELSON_DETAIL_SERVES, methods);                 \
        }                                                                      \
        template <typename Plugin>                                             \
        static constexpr Table make() {                                        \
            Table table{};                                                     \
            table.struct_size = sizeof(Table);                                 \
            LIST(KEELSON_DETAIL_POINTER, methods)                              \
            return table;                                                      \
        }                                                                      \
    };

// A pointer to a member is ambiguous, and so ill-formed, exactly when the class has a member of that name
// too.
template <typename Plugin, typename Slot>
struct Probe : Plugin, Slot::Namesake {};

template <typename Slot, typename Plugin, typename = void>
struct HasName : std::true_type {};
template <typename Slot, typename Plugin>
struct HasName<Slot, Plugin, std::void_t<typename Slot::template Member<Probe<Plugin, Slot>>>>
    : std::false_type {};

template <typename Slot, typename Plugin>
constexpr bool has_name() {
    if constexpr (std::is_final_v<Plugin>) {
        return false;  // nothing can derive from it to look
    } else {
        return HasName<Slot, Plugin>::value;
    }
}

template <typename Result, typename Reply>
constexpr bool answers =
    (std::is_void_v<Result> && std::is_empty_v<Reply>) || std::is_same_v<std::decay_t<Result>, Json> ||
    (!std::is_void_v<Result> && std::is_convertible_v<Result, Reply>);

template <typename, typename Slot, typename Plugin, typename... Arguments>
struct FitsWith : std::false_type {};
template <typename Slot, typename Plugin, typename... Arguments>
struct FitsWith<
    std::void_t<decltype(Slot::call(std::declval<Plugin&>(), std::declval<const Arguments&>()...))>, Slot,
    Plugin, Arguments...>
    : std::bool_constant<
          answers<decltype(Slot::call(std::declval<Plugin&>(), std::declval<const Arguments&>()...)),
                  typename Slot::Reply>> {};

template <typename Slot, typename Plugin, typename... Arguments>
constexpr bool fits = FitsWith<void, Slot, Plugin, Arguments...>::value;

// The forms in which a class may have the method; without fields a request need not be taken.
template <typename Slot, typename Plugin>
struct Callable {
    using Request = typename Slot::Request;
    static constexpr bool with_both = fits<Slot, Plugin, Request, Call>;
    static constexpr bool with_request = fits<Slot, Plugin, Request>;
    static constexpr bool with_call = std::is_empty_v<Request> && fits<Slot, Plugin, Call>;
    static constexpr bool with_nothing = std::is_empty_v<Request> && fits<Slot, Plugin>;
    static constexpr bool value = with_both || with_request || with_call || with_nothing;
};

template <typename Tag, typename Plugin>
constexpr bool has_tag = std::is_base_of_v<Tag, Plugin>;

template <typename Plugin, typename Tag>
constexpr bool tag_serves(std::string_view name) {
    if constexpr (has_tag<Tag, Plugin>) {
        return Binding<Tag>::template serves<Plugin>(name);
    } else {
        return false;
    }
}

// Whether the class has a method of that name for any of its capabilities.
template <typename Plugin, typename... Tags>
constexpr bool any_serves(std::string_view name, TagList<Tags...> /*tags*/) {
    return (tag_serves<Plugin, Tags>(name) || ...);
}

// Error documents.

inline void put(keelson_reply* reply, std::string_view text) noexcept {
    if (reply != nullptr && reply->write != nullptr) reply->write(reply->context, text.data(), text.size());
}

inline std::int32_t fail(keelson_reply* reply, Code code, const char* message,
                         const std::string& field = {}) noexcept {
    try {
        Json document = {{"message", message}};
        if (!field.empty()) document["field"] = field;
        put(reply, document.dump(-1, ' ', false, Json::error_handler_t::replace));
    } catch (...) {
        put(reply, R"({"message":"failed, and there was no memory left to say why"})");
    }
    return std::int32_t(code);
}

// The border: runs the work and turns whatever it throws into a status and an error document.
template <typename Work>
std::int32_t guard(keelson_reply* reply, Work&& work) noexcept {
    try {
        work();
        return KEELSON_OK;
    } catch (const Error& error) {
        return fail(reply, error.code(), error.what(), error.field());
    } catch (const std::bad_alloc&) {
        put(reply, R"({"message":"out of memory"})");
        return KEELSON_EXHAUSTED;
    } catch (const std::exception& exception) {
        return fail(reply, Code::internal, exception.what());
    } catch (...) {
        return fail(reply, Code::internal, "an exception without a description");
    }
}

// The plugin between create and destroy; there is an object of its class between start and stop only.
template <typename Plugin>
class Instance {
  public:
    explicit Instance(Host host) : host_(host) {}
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    Plugin& running() {
        if (plugin_ == nullptr) throw Error(Code::internal, "the plugin is not started");
        return *plugin_;
    }
    void start(const Json& configuration) {
        if (plugin_ != nullptr) throw Error(Code::conflict, "the plugin is started already");
        if constexpr (std::is_constructible_v<Plugin, Host, const Json&>) {
            plugin_ = new Plugin(host_, configuration);
        } else if constexpr (std::is_constructible_v<Plugin, Host>) {
            plugin_ = new Plugin(host_);
        } else if constexpr (std::is_constructible_v<Plugin, const Json&>) {
            plugin_ = new Plugin(configuration);
        } else {
            static_assert(std::is_default_constructible_v<Plugin>,
                          "the constructor takes (Host, const Json&), (Host), (const Json&) or nothing");
            plugin_ = new Plugin();
        }
    }
    // Not a smart pointer: those end the process when a destructor throws.
    void stop() { delete std::exchange(plugin_, nullptr); }

  private:
    Host host_;
    Plugin* plugin_ = nullptr;
};

// Runs a method and gives the document that it answers with.
template <typename Slot, typename Plugin, typename... Arguments>
Json answer(Plugin& plugin, const Arguments&... arguments) {
    using Result = decltype(Slot::call(plugin, arguments...));
    if constexpr (std::is_void_v<Result>) {
        Slot::call(plugin, arguments...);
        return Json::object();
    } else if constexpr (std::is_same_v<std::decay_t<Result>, Json>) {
        return Slot::call(plugin, arguments...);
    } else {
        return write<typename Slot::Reply>(Slot::call(plugin, arguments...));
    }
}

template <typename Slot, typename Plugin>
Json perform(Plugin& plugin, const Json& document, const Call& call) {
    using How = Callable<Slot, Plugin>;
    [[maybe_unused]] const auto request = read_as<typename Slot::Request>(document);
    if constexpr (How::with_both) {
        return answer<Slot>(plugin, request, call);
    } else if constexpr (How::with_request) {
        return answer<Slot>(plugin, request);
    } else if constexpr (How::with_call) {
        return answer<Slot>(plugin, call);
    } else {
        return answer<Slot>(plugin);
    }
}

// What a table's pointer points to.
template <typename Plugin, typename Slot>
std::int32_t method(void* self, const keelson_call* call, keelson_bytes request,
                    keelson_reply* reply) noexcept {
    return guard(reply, [&] {
        Plugin& plugin = static_cast<Instance<Plugin>*>(self)->running();
        put(reply, perform<Slot>(plugin, parse(request), Call(call, reply)).dump());
    });
}

template <typename Plugin, typename Slot>
constexpr keelson_method pointer() {
    // A class with several capabilities may have the name for one of them only.
    static_assert(Callable<Slot, Plugin>::value || !has_name<Slot, Plugin>() ||
                      any_serves<Plugin>(Slot::name, AllTags{}),
                  "the class has a public or private member of a method's name, but not with that method's "
                  "request and reply");
    if constexpr (Callable<Slot, Plugin>::value) {
        return &method<Plugin, Slot>;
    } else {
        return nullptr;
    }
}

template <typename Plugin, typename Tag>
constexpr typename Binding<Tag>::Table table = Binding<Tag>::template make<Plugin>();

// Handover: by its methods rather than by a tag, since any plugin may have it.

struct State {
    Json state;
    KEELSON_FIELDS(field.required("state", self.state))
};

namespace handover {

KEELSON_DETAIL_SLOT(quiesce, Empty, Empty)
KEELSON_DETAIL_SLOT(resume, Empty, Empty)

struct give {
    using Request = Empty;
    using Reply = State;
    static constexpr const char* name = "give";
    struct Namesake {
        int give;
    };
    template <typename Probe>
    using Member = decltype(&Probe::give);

    template <typename Plugin,
              typename = decltype(Json(std::declval<Plugin&>().give(std::declval<Descriptors&>())))>
    static Json call(Plugin& plugin, const Call& call) {
        Descriptors descriptors;
        Json answer = {{"state", plugin.give(descriptors)}};
        for (const Descriptor& descriptor : descriptors) call.pass_descriptor(descriptor.get());
        return answer;
    }
};

struct adopt {
    using Request = State;
    using Reply = Empty;
    static constexpr const char* name = "adopt";
    struct Namesake {
        int adopt;
    };
    template <typename Probe>
    using Member = decltype(&Probe::adopt);

    template <typename Plugin,
              typename = decltype(std::declval<Plugin&>().adopt(std::declval<const Json&>(), Descriptors()))>
    static void call(Plugin& plugin, const State& given, const Call& call) {
        plugin.adopt(given.state, call.duplicate_descriptors());
    }
};

}  // namespace handover

}  // namespace detail

KEELSON_DETAIL_BIND(keelson_handover, KEELSON_HANDOVER, keelson_handover, KEELSON_HANDOVER_METHODS, handover)

namespace detail {

template <typename Plugin>
constexpr bool has_handover() {
    constexpr bool gives = Callable<handover::give, Plugin>::value;
    constexpr bool adopts = Callable<handover::adopt, Plugin>::value;
    constexpr bool means_to = has_name<handover::give, Plugin>() && has_name<handover::adopt, Plugin>();
    static_assert(gives == adopts && gives >= means_to,
                  "a handover is both Json give(Descriptors&) and void adopt(const Json&, Descriptors)");
    return gives && adopts;
}

template <typename Plugin, typename Tag>
const void* table_if(std::string_view id) {
    if constexpr (has_tag<Tag, Plugin>) {
        if (id == Binding<Tag>::id) return &table<Plugin, Tag>;
    }
    return nullptr;
}

template <typename Plugin, typename... Tags>
const void* find_table(std::string_view id, TagList<Tags...> /*tags*/) {
    static_assert((has_tag<Tags, Plugin> || ...), "derive the class from the tag of at least one capability");
    const void* found = nullptr;
    static_cast<void>(((found = table_if<Plugin, Tags>(id)) || ...));
    if constexpr (has_handover<Plugin>()) {
        if (id == KEELSON_HANDOVER) return &table<Plugin, keelson_handover>;
    }
    return found;
}

namespace instance_methods {
KEELSON_DETAIL_SLOT(health, Empty, Health)
}

// The functions of keelson_entry and keelson_instance for one class.
template <typename Plugin>
struct Adapter {
    static std::int32_t start(void* self, const keelson_call* /*call*/, keelson_bytes request,
                              keelson_reply* reply) noexcept {
        return guard(reply, [&] {
            static_cast<Instance<Plugin>*>(self)->start(parse(request));
            put(reply, "{}");
        });
    }

    static std::int32_t stop(void* self, const keelson_call* /*call*/, keelson_bytes /*request*/,
                             keelson_reply* reply) noexcept {
        return guard(reply, [&] {
            static_cast<Instance<Plugin>*>(self)->stop();
            put(reply, "{}");
        });
    }

    static std::int32_t healthy(void* /*self*/, const keelson_call* /*call*/, keelson_bytes /*request*/,
                                keelson_reply* reply) noexcept {
        put(reply, R"({"healthy":true})");
        return KEELSON_OK;
    }

    static constexpr keelson_method health_method() {
        const keelson_method own = pointer<Plugin, instance_methods::health>();
        return own != nullptr ? own : &healthy;
    }

    static const void* capability(void* /*self*/, const char* id) noexcept {
        return id == nullptr ? nullptr : find_table<Plugin>(id, AllTags{});
    }

    static void destroy(void* self) noexcept {
        // Nothing may be thrown from here; what a destructor throws in spite of that is dropped.
        static_cast<void>(guard(nullptr, [&] {
            const std::unique_ptr<Instance<Plugin>> instance(static_cast<Instance<Plugin>*>(self));
            instance->stop();
        }));
    }

    static std::int32_t create(std::uint32_t abi, const keelson_host* host, keelson_instance* instance,
                               keelson_reply* error) noexcept {
        return guard(error, [&] {
            if (abi < KEELSON_ABI_MINIMUM || abi > KEELSON_ABI_MAXIMUM)
                throw Error(Code::unsupported, "this plugin does not know that version of the ABI");
            const std::size_t room = room_of(*instance);
            keelson_instance filled = {std::uint32_t(room), nullptr,     &start,  &stop,
                                       health_method(),     &capability, &destroy};
            auto made = std::make_unique<Instance<Plugin>>(Host(host));
            filled.self = made.release();
            std::memcpy(instance, &filled, room);
        });
    }

    // How much of the host's table may be filled: an older host has room for less than is known here.
    static std::size_t room_of(const keelson_instance& instance) {
        if (instance.struct_size == 0) return first_size;
        if (instance.struct_size < first_size)
            throw Error(Code::unsupported, "the host's keelson_instance is smaller than the first one");
        return std::min(std::size_t(instance.struct_size), sizeof(keelson_instance));
    }

    // The size of keelson_instance in the first version of the ABI.
    static constexpr std::size_t first_size =
        offsetof(keelson_instance, destroy) + sizeof(keelson_instance::destroy);
};

}  // namespace detail
}  // namespace keelson

// Once in a plugin, at file scope: the one symbol that it exports.
#define KEELSON_PLUGIN(Class, identifier, version_text)                       \
    extern "C" KEELSON_EXPORT const keelson_entry* keelson_plugin(void) {     \
        static constexpr keelson_entry entry = {                              \
            sizeof(keelson_entry), KEELSON_ABI_MINIMUM,                       \
            KEELSON_ABI_MAXIMUM,   identifier,                                \
            version_text,          &keelson::detail::Adapter<Class>::create}; \
        return &entry;                                                        \
    }

#endif
