// The routes of images: what the node's runtime plugin has, as its own documents.
#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "kernel/admin/documents.h"
#include "kernel/admin/members.h"
#include "kernel/admin/routes.h"
#include "kernel/admin/transfer.h"
#include "kernel/base/files.h"

namespace keelson::admin {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kImages = "keelson.runtime.images/0";
constexpr std::chrono::minutes kLongest{60};

tl::expected<std::shared_ptr<plugin::Plugin>, Problem> images_plugin(const Context& context) {
    auto plugins = context.parts.plugins.with_capability(kImages);
    if (!plugins.empty()) return plugins.front();
    return refuse(503,
                  "no plugin that keeps images is ready: start keelsond with the role node, and look at "
                  "`keelctl plugin list`");
}

// The plugin's document is the answer.
Outcome ask(Context& context, std::string_view method, const Json& request,
            std::vector<int> descriptors = {}) {
    auto plugin = images_plugin(context);
    if (!plugin) return refuse(std::move(plugin).error());
    plugin::CallOptions options;
    options.timeout = kLongest;
    options.descriptors = std::move(descriptors);
    auto reply = context.wait((*plugin)->call(kImages, method, request.dump(), std::move(options)));
    if (!reply) return refuse(std::move(reply).error());
    return answer_with(reply->body + "\n");
}

}  // namespace

Outcome list_images(Context& context, Request&) {
    return ask(context, "list", Json::object());
}

Outcome list_pulls(Context& context, Request&) {
    return ask(context, "pulls", Json::object());
}

Outcome pull_image(Context& context, Request& request) {
    auto members = Members::parse(request.body, request.route->members);
    if (!members) return refuse(std::move(members).error());
    const std::string image = *members->text("image");
    request.note = "image=" + image;
    Json wanted = {{"image", image}};
    if (const auto user = members->text("username"))
        wanted["credentials"] = {{{"username", *user}, {"password", members->text("password").value_or("")}}};
    return ask(context, "pull", wanted);
}

Outcome import_images(Context& context, Request& request) {
    auto wanted = wanted_sha256(request);
    if (!wanted) return refuse(std::move(wanted).error());
    request.note = "sha256=" + *wanted;
    const std::unique_lock busy(context.transfer, std::try_to_lock);
    if (!busy)
        return refuse(409, "another snapshot, restore or upload is under way: try again when it has ended");
    const TemporaryFile temporary(context.work_directory, "images-");
    auto size =
        receive_file(context, request, temporary.path(), 0600, context.parts.limits.snapshot_bytes, *wanted);
    if (!size) return refuse(std::move(size).error());
    auto file = base::open_file(temporary.path(), O_RDONLY);
    if (!file) return refuse(Problem(file.error()));
    Json document = Json::object();
    if (const std::string name = request.query_value("name"); !name.empty()) document["name"] = name;
    return ask(context, "load", document, {file->get()});
}

Outcome remove_image(Context& context, Request& request) {
    const std::string image = request.query_value("image");
    request.note = "image=" + image;
    if (image.empty()) return refuse(400, "say which image with ?image=NAME, a name or an id");
    auto plugin = images_plugin(context);
    if (!plugin) return refuse(std::move(plugin).error());
    const std::string question = Json{{"image", image}}.dump();
    auto known = context.wait((*plugin)->call(kImages, "inspect", question));
    if (!known) return refuse(std::move(known).error());
    const Json found = Json::parse(known->body, nullptr, false);
    if (!found.is_object() || !found.contains("image"))
        return refuse(404, "there is no image '" + image + "': look at GET /v1/images");
    const Json& image_document = found["image"];
    auto removed = ask(context, "remove", {{"imageId", image_document.value("imageId", "")}});
    if (!removed) return removed;
    // An image goes with all of its names.
    return answer_with(Json{{"imageId", image_document.value("imageId", "")},
                            {"names", image_document.value("names", Json::array())}}
                           .dump() +
                       "\n");
}

}  // namespace keelson::admin
