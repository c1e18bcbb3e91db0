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
    if (std::string token = listing.continue_token(); !token.empty())
        json += ",\"continue\":\"" + token + "\"";
    if (listing.remaining()) json += ",\"remainingItemCount\":" + std::to_string(*listing.remaining());
    return json + "}";
}

std::string list_head(std::string_view kind, std::string_view api_version, const Listing& listing) {
    return "{\"kind\":\"" + std::string(kind) + "\",\"apiVersion\":\"" + std::string(api_version) +
           "\",\"metadata\":" + list_metadata(listing) + ",\"items\":[";
}

// Writes the records of a list, one after the other, in the version and shape asked for.
class ItemWriter {
  public:
    ItemWriter(const Call& call, const Representation& representation, std::int64_t now_seconds)
        : call_(call),
          stored_(resource::storage_of(*call.resource)),
          representation_(representation),
          now_seconds_(now_seconds) {}

    // The kind of the whole document, and what comes before its first item.
    [[nodiscard]] const object::Type& type() const {
        if (representation_.shape == Shape::table) return *object::find_type("meta/v1.Table");
        if (representation_.shape == Shape::metadata)
            return *object::find_type("meta/v1.PartialObjectMetadataList");
        return *object::find_kind(call_.resource->group, call_.resource->version, list_kind());
    }
    [[nodiscard]] std::string head(const Listing& listing) {
        if (representation_.shape == Shape::table) return table_head(listing);
        if (representation_.shape == Shape::metadata)
            return list_head("PartialObjectMetadataList", "meta.k8s.io/v1", listing);
        return list_head(list_kind(), object::api_version_of(*call_.resource), listing);
    }

    // Appends an item and, before all but the first, a comma. A damaged record is left out.
    void append(const store::Record& record, std::string& out) {
        if (!first_) out += ',';
        const std::size_t start = out.size();
        append_item(record, out);
        if (out.size() != start)
            first_ = false;
        else if (!first_)
            out.pop_back();
        arena_.clear();
    }

  private:
    [[nodiscard]] std::string list_kind() const { return std::string(call_.resource->kind) + "List"; }
    [[nodiscard]] bool is_stored_version() const { return &stored_ == call_.resource; }

    // Everything up to the rows, as an empty table is written.
    std::string table_head(const Listing& listing) {
        Value table =
            table_of(*call_.resource->type, {}, representation_.include_object, true, now_seconds_, arena_);
        if (auto metadata = object::parse_json_copy(list_metadata(listing), arena_))
            table.set(arena_, "metadata", *metadata);
        std::string text = object::to_json(table);
        text.resize(text.size() - std::string_view("]}").size());
        return text;
    }

    void append_item(const store::Record& record, std::string& out) {
        if (representation_.shape == Shape::metadata) return append_metadata(record, out);
        const bool whole = representation_.include_object == IncludeObject::object;
        if (representation_.shape == Shape::table && is_stored_version() && !whole)
            return append_row(record, out);
        if (representation_.shape == Shape::object && is_stored_version())
            return resource::append_json(record, resource::WithKind::no, out);
        auto object = resource::decode(record, arena_);
        auto converted =
            object ? resource::convert(stored_, *call_.resource, *object, arena_) : std::move(object);
        if (!converted) return;
        if (representation_.shape == Shape::table) {
            object::write_json(table_row(*call_.resource->type, *converted, representation_.include_object,
                                         now_seconds_, arena_),
                               out);
            return;
        }
        converted->erase("kind");
        converted->erase("apiVersion");
        object::write_json(*converted, out);
    }

    // The cells are made from the object; its metadata goes out as it is stored.
    void append_row(const store::Record& record, std::string& out) {
        auto object = resource::decode_without_managers(record, arena_);
        if (!object) return;
        const bool with_metadata = representation_.include_object == IncludeObject::metadata;
        Value row = table_row(*call_.resource->type, *object, IncludeObject::none, now_seconds_, arena_);
        object::write_json(row, out);
        if (!with_metadata) return;
        out.resize(out.size() - std::string_view("null}").size());
        append_metadata(record, out);
        out += '}';
    }

    static void append_metadata(const store::Record& record, std::string& out) {
        out += "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":";
        resource::append_metadata_json(record, out);
        out += '}';
    }

    const Call& call_;
    const object::Resource& stored_;
    const Representation& representation_;
    std::int64_t now_seconds_;
    Arena arena_;
    bool first_ = true;
};

BodyPiece piece(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

// A list without a limit knows its metadata before its items, so it is sent as it is read.
Task<void> stream_items(Exchange& exchange, Listing& listing, ItemWriter& writer, std::string_view tail) {
    std::string buffer = writer.head(listing);
    bool more = true, begun = false;
    while (more) {
        auto step = listing.step([&](const store::Record& record) { writer.append(record, buffer); });
        if (!step) {
            // Once bytes are out, the only way to tell is to break off.
            if (!begun) exchange.respond(status_response(step.error()));
            co_return;
        }
        more = *step;
        if (!more) buffer += tail;
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

// The whole document at once: a page's metadata is known only behind its last item.
Result<std::string> write_list(Listing& listing, ItemWriter& writer, const Representation& representation) {
    std::string items;
    bool more = true;
    while (more) {
        KEELSON_TRY(more, listing.step([&](const store::Record& record) { writer.append(record, items); }));
    }
    return write_document(representation, writer.type(), writer.head(listing) + items + "]}");
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
    auto listing =
        barrier ? Listing::start(verbs.store(), call, *options) : Result<Listing>(std::move(barrier).error());
    if (!listing) {
        exchange.respond(status_response(listing.error()));
        co_return;
    }
    auto now = std::chrono::floor<std::chrono::seconds>(verbs.clock().wall_now().time_since_epoch()).count();
    ItemWriter writer(call, *representation, now);
    if (representation->format == Format::json && !representation->pretty && !listing->is_limited()) {
        const std::string_view tail = representation->shape == Shape::object ? "]}\n" : "]}";
        co_await stream_items(exchange, *listing, writer, tail);
        co_return;
    }
    auto body = write_list(*listing, writer, *representation);
    if (!body) {
        exchange.respond(status_response(body.error()));
        co_return;
    }
    exchange.respond(Response(200, std::string(content_type(representation->format)), std::move(*body)));
}

}  // namespace keelson::api
