#include "kernel/client/in_process.h"

#include <mutex>

#include "kernel/object/json.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/listing.h"

namespace keelson::client {
namespace {

using base::Result;
using base::Task;
using object::Arena;
using object::Document;
using object::Value;
using resource::Body;
using resource::Call;
using resource::ObjectAnswer;
using resource::Subresources;
using resource::WatchEventType;
using resource::WatchStream;

Result<Document> document_of(const Result<ObjectAnswer>& answer) {
    if (!answer) return answer.error();
    Document document;
    KEELSON_TRY(document.root, object::parse_json_copy(answer->json, document.arena));
    return document;
}

Result<Call> call_for(const Address& address, const access::Identity& identity) {
    Call call;
    call.identity = identity;
    call.resource = object::find_resource(address.group, address.version, address.resource);
    if (!call.resource) return resource::resource_not_served();
    if (!address.subresource.empty()) {
        call.subresource = call.resource->subresource(address.subresource);
        if (!call.subresource) return resource::resource_not_served();
    }
    if (call.resource->namespaced) call.namespace_name = address.namespace_name;
    call.name = address.name;
    return call;
}

// A record as an item: in the version that was asked for.
Result<Value> item_of(const object::Resource& requested, const store::Record& record, Arena& arena) {
    KEELSON_TRY(ObjectAnswer answer, resource::answer_with(requested, record));
    return object::parse_json_copy(answer.json, arena);
}

class InProcessWatch final : public Watch {
  public:
    InProcessWatch(WatchStream stream, const object::Resource& requested)
        : stream_(std::move(stream)), requested_(requested) {}
    ~InProcessWatch() override { stop(); }

    Task<Result<std::vector<WatchEvent>>> next() override {
        constexpr std::size_t kBatch = 256;
        while (true) {
            std::vector<WatchEvent> events;
            base::Completion<bool> wake;
            {
                std::lock_guard lock(shared_->mutex);
                if (shared_->stopped) co_return events;
                shared_->wake = wake;
            }
            std::optional<base::Status> failure;
            auto visit = [&](WatchEventType type, const store::Record& record) {
                if (auto added = add(type, record, events); !added) failure = std::move(added).error();
            };
            KEELSON_CO_TRY(std::size_t seen, stream_.poll(kBatch, visit));
            if (failure) co_return std::move(*failure);
            if (!events.empty()) co_return events;
            if (seen > 0) continue;
            stream_.arm([wake] { wake.complete(true); });
            co_await wake;
        }
    }

    void stop() override {
        std::lock_guard lock(shared_->mutex);
        shared_->stopped = true;
        if (shared_->wake) shared_->wake->complete(true);
    }

  private:
    struct Shared {
        std::mutex mutex;
        bool stopped = false;
        std::optional<base::Completion<bool>> wake;
    };

    Result<void> add(WatchEventType type, const store::Record& record,
                     std::vector<WatchEvent>& events) const {
        WatchEvent event;
        event.resource_version = std::to_string(record.modified);
        Arena& arena = event.object.arena;
        if (type == WatchEventType::bookmark || type == WatchEventType::initial_events_end) {
            event.type = WatchEvent::Type::bookmark;
            Value metadata = Value::map(arena);
            metadata.set(arena, "resourceVersion", Value::string(arena, event.resource_version));
            if (type == WatchEventType::initial_events_end)
                metadata.child_map(arena, "annotations")
                    .set(arena, "k8s.io/initial-events-end", Value::reference("true"));
            event.object.root = Value::map(arena);
            event.object.root.set(arena, "metadata", metadata);
        } else {
            event.type = type == WatchEventType::added      ? WatchEvent::Type::added
                         : type == WatchEventType::modified ? WatchEvent::Type::modified
                                                            : WatchEvent::Type::removed;
            KEELSON_TRY(event.object.root, item_of(requested_, record, arena));
        }
        events.push_back(std::move(event));
        return base::ok();
    }

    WatchStream stream_;
    const object::Resource& requested_;
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

class InProcessClient final : public Client {
  public:
    InProcessClient(resource::Verbs& verbs, Subresources& subresources, access::Identity identity)
        : verbs_(verbs), subresources_(subresources), identity_(std::move(identity)) {}

    Task<Object> get(Address address) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        auto task = Subresources::handles(call) ? subresources_.get(call) : verbs_.get(call);
        auto answer = co_await task;
        co_return document_of(answer);
    }

    Task<Result<Page>> list(Address address, ListOptions options) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        KEELSON_CO_TRY(auto listing, resource::Listing::start(verbs_.store(), call, options));
        Page page;
        std::optional<base::Status> failure;
        for (bool more = true; more && !failure;) {
            auto visit = [&](const store::Record& record) {
                auto item = item_of(*call.resource, record, page.arena);
                if (!item) {
                    failure = std::move(item).error();
                    return;
                }
                item->erase("kind");
                item->erase("apiVersion");
                page.items.push_back(*item);
            };
            KEELSON_CO_TRY(more, listing.step(visit));
        }
        if (failure) co_return std::move(*failure);
        page.resource_version = std::to_string(listing.revision());
        page.continue_token = listing.continue_token();
        page.remaining = listing.remaining();
        co_return page;
    }

    Task<Result<std::unique_ptr<Watch>>> watch(Address address, ListOptions options) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        KEELSON_CO_TRY(auto stream, WatchStream::start(verbs_.store(), call, options));
        std::unique_ptr<Watch> watch = std::make_unique<InProcessWatch>(std::move(stream), *call.resource);
        co_return watch;
    }

    Task<Object> create(Address address, Value object, WriteOptions options) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        Arena arena;
        Body body{object.clone(arena), {}};
        auto task = Subresources::handles(call) ? subresources_.create(call, body, options, arena)
                                                : verbs_.create(call, body, options, arena);
        auto answer = co_await task;
        co_return document_of(answer);
    }

    Task<Object> update(Address address, Value object, WriteOptions options) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        Arena arena;
        Body body{object.clone(arena), {}};
        auto task = Subresources::handles(call) ? subresources_.update(call, body, options, arena)
                                                : verbs_.update(call, body, options, arena);
        auto answer = co_await task;
        co_return document_of(answer);
    }

    Task<Object> patch(Address address, PatchType type, Value patch, WriteOptions options) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        if (type == PatchType::apply && options.field_manager.empty())
            co_return resource::bad_request("an apply needs a field manager");
        Arena arena;
        Body body{patch.clone(arena), {}};
        auto task = Subresources::handles(call) ? subresources_.patch(call, type, body, options)
                                                : verbs_.patch(call, type, body, options);
        auto answer = co_await task;
        co_return document_of(answer);
    }

    Task<Object> remove(Address address, DeleteOptions options) override {
        KEELSON_CO_TRY(Call call, call_for(address, identity_));
        auto answer = co_await verbs_.remove(call, options);
        co_return document_of(answer);
    }

  private:
    resource::Verbs& verbs_;
    Subresources& subresources_;
    access::Identity identity_;
};

}  // namespace

std::unique_ptr<Client> make_in_process_client(resource::Verbs& verbs, Subresources& subresources,
                                               access::Identity identity) {
    return std::make_unique<InProcessClient>(verbs, subresources, std::move(identity));
}

}  // namespace keelson::client
