// Lists: stored bytes are spliced together and streamed; other representations are made record by record.
#include "kernel/api/kubernetes_handler.h"
#include "kernel/api/options.h"
#include "kernel/api/representation.h"
#include "kernel/object/json.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/convert.h"
#include "kernel/resource/listing.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Task;
using object::Arena;
using object::Value;
using resource::Call;
using resource::Listing;

// {"resourceVersion":"5","continue":"...","remainingItemCount":3}
std::string list_metadata(const Listing& listing) {
    std::string json = "{\"resourceVersion\":\"" + std::to_string(listing.revision()) + "\"";
    if (std::string token = listing.continue_token(); !token.empty()) json += ",\"continue\":\"" + token + "\"";
    if (listing.remaining()) json += ",\"remainingItemCount\":" + std::to_string(*listing.remaining());
    return json + "}";
}

std::string list_head(std::string_view kind, std::string_view api_version, const Listing& listing) {
    return "{\"kind\":\"" + std::string(kind) + "\",\"apiVersion\":\"" + std::string(api_version) +
           "\",\"metadata\":" + list_metadata(listing) + ",\"items\":[";
}

// Appends one record in the version asked for.
void append_item(const Call& call, const store::Record& record, resource::WithKind with_kind, std::string& out) {
    const object::Resource& stored = resource::storage_of(*call.resource);
    if (&stored == call.resource) {
        resource::append_json(record, with_kind, out);
        return;
    }
    Arena arena;
    auto object = resource::decode(record, arena);
    auto converted = object ? resource::convert(stored, *call.resource, *object, arena) : std::move(object);
    if (!converted) return;
    if (with_kind == resource::WithKind::no) {
        converted->erase("kind");
        converted->erase("apiVersion");
    }
    object::write_json(*converted, out);
}

// Reads everything that is left of a page into one text of comma-separated items.
Result<std::string> collect_items(Listing& listing, const Call& call, resource::WithKind with_kind) {
    std::string items;
    bool more = true;
    while (more) {
        KEELSON_TRY(more, listing.step([&](const store::Record& record) {
            if (!items.empty()) items += ',';
            append_item(call, record, with_kind, items);
        }));
    }
    return items;
}

BodyPiece piece(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

// A list without a limit knows its metadata before its items, so it is sent as it is read.
Task<void> stream_plain(Exchange& exchange, Listing& listing, const Call& call, std::string kind) {
    std::string buffer = list_head(kind, object::api_version_of(*call.resource), listing);
    bool first = true, more = true, begun = false;
    while (more) {
        auto step = listing.step([&](const store::Record& record) {
            if (!std::exchange(first, false)) buffer += ',';
            append_item(call, record, resource::WithKind::no, buffer);
        });
        if (!step) {
            // Once bytes are out, the only way to tell is to break off.
            if (!begun) exchange.respond(status_response(step.error()));
            co_return;
        }
        more = *step;
        if (!more) buffer += "]}\n";
        if (!begun && !more) {
            exchange.respond(Response(200, "application/json", std::move(buffer)));
            co_return;
        }
        if (!begun) {
            auto begin = co_await exchange.begin_stream(200, "application/json", {}, StreamKind::bulk);
            if (!begin) co_return;
            begun = true;
        }
        BodyPiece next = piece(std::exchange(buffer, {}));
        auto written = co_await exchange.write(next);
        if (!written) co_return;
    }
    co_await exchange.end_stream();
}

Result<std::string> write_table(Listing& listing, const Call& call, const Representation& representation,
                                std::int64_t now_seconds) {
    Arena arena;
    std::vector<Value> objects;
    const object::Resource& stored = resource::storage_of(*call.resource);
    bool more = true;
    while (more) {
        KEELSON_TRY(more, listing.step([&](const store::Record& record) {
            auto object = resource::decode(record, arena);
            if (!object) return;
            auto converted = resource::convert(stored, *call.resource, *object, arena);
            if (converted) objects.push_back(*converted);
        }));
    }
    Value table = table_of(*call.resource->type, objects, representation.include_object, true, now_seconds, arena);
    KEELSON_TRY(Value metadata, object::parse_json_copy(list_metadata(listing), arena));
    table.set(arena, "metadata", metadata);
    return write_document(representation, *object::find_type("meta/v1.Table"), object::to_json(table));
}

Result<std::string> write_metadata_list(Listing& listing, const Representation& representation) {
    std::string items;
    bool more = true;
    while (more) {
        KEELSON_TRY(more, listing.step([&](const store::Record& record) {
            Arena arena;
            auto metadata = resource::decode_metadata(record, arena);
            if (!metadata) return;
            Value object = Value::map(arena);
            object.set(arena, "metadata", *metadata);
            if (!items.empty()) items += ',';
            object::write_json(partial_metadata(object, arena), items);
        }));
    }
    std::string json = list_head("PartialObjectMetadataList", "meta.k8s.io/v1", listing) + items + "]}";
    return write_document(representation, *object::find_type("meta/v1.PartialObjectMetadataList"), std::move(json));
}

Result<std::string> write_list(Listing& listing, const Call& call, const Representation& representation,
                               const std::string& kind, std::int64_t now_seconds) {
    if (representation.shape == Shape::table) return write_table(listing, call, representation, now_seconds);
    if (representation.shape == Shape::metadata) return write_metadata_list(listing, representation);
    auto with_kind = resource::WithKind::no;
    KEELSON_TRY(std::string items, collect_items(listing, call, with_kind));
    std::string json = list_head(kind, object::api_version_of(*call.resource), listing) + items + "]}";
    const object::Type* type = object::find_kind(call.resource->group, call.resource->version, kind);
    return write_document(representation, *type, std::move(json));
}

}  // namespace

Task<void> serve_list(Exchange& exchange, resource::Verbs& verbs, const Call& call) {
    auto representation = negotiate(exchange.request());
    auto options = parse_list_options(exchange.request());
    if (!representation || !options) {
        exchange.respond(status_response(representation ? options.error() : representation.error()));
        co_return;
    }
    auto barrier = co_await verbs.store().read_barrier();
    auto listing = barrier ? Listing::start(verbs.store(), call, *options)
                           : Result<Listing>(std::move(barrier).error());
    if (!listing) {
        exchange.respond(status_response(listing.error()));
        co_return;
    }
    std::string kind = std::string(call.resource->kind) + "List";
    if (representation->is_plain() && !listing->is_limited()) {
        co_await stream_plain(exchange, *listing, call, kind);
        co_return;
    }
    auto now = std::chrono::floor<std::chrono::seconds>(verbs.clock().wall_now().time_since_epoch()).count();
    auto body = write_list(*listing, call, *representation, kind, now);
    if (!body) {
        exchange.respond(status_response(body.error()));
        co_return;
    }
    exchange.respond(Response(200, std::string(content_type(representation->format)), std::move(*body)));
}

}  // namespace keelson::api
