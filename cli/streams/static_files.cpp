#include "cli/streams/static_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

namespace keelson::cli::streams {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<const char*, const char*>, 13> kTypes{
    {{".css", "text/css; charset=utf-8"},
     {".gif", "image/gif"},
     {".htm", "text/html; charset=utf-8"},
     {".html", "text/html; charset=utf-8"},
     {".jpg", "image/jpeg"},
     {".js", "text/javascript; charset=utf-8"},
     {".json", "application/json"},
     {".pdf", "application/pdf"},
     {".png", "image/png"},
     {".svg", "image/svg+xml"},
     {".txt", "text/plain; charset=utf-8"},
     {".wasm", "application/wasm"},
     {".xml", "text/xml; charset=utf-8"}}};

std::string type_of(const fs::path& file) {
    const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                     [&](const auto& one) { return file.extension() == one.first; });
    return found == kTypes.end() ? "application/octet-stream" : found->second;
}

std::string escaped(const std::string& text) {
    std::string safe;
    for (const char letter : text) switch (letter) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '"':
                safe += "&#34;";
                break;
            default:
                safe += letter;
        }
    return safe;
}

std::optional<StaticFile> list(const fs::path& directory) {
    std::error_code error;
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory, error))
        names.insert(entry.path().filename().string() + (entry.is_directory(error) ? "/" : ""));
    if (error) return std::nullopt;
    std::string text = "<!doctype html>\n<pre>\n";
    for (const std::string& name : names) {
        const std::string safe = escaped(name);
        text.append("<a href=\"./").append(safe).append("\">").append(safe).append("</a>\n");
    }
    return StaticFile{"text/html; charset=utf-8", text + "</pre>\n"};
}

}  // namespace

std::optional<StaticFile> read_static_file(const std::string& directory, const std::string& path) {
    const fs::path wanted = fs::path(path).lexically_normal();
    if (wanted.is_absolute() || (!wanted.empty() && *wanted.begin() == "..")) return std::nullopt;
    fs::path file = fs::path(directory) / wanted;
    std::error_code error;
    if (fs::is_directory(file, error)) {
        if (!fs::is_regular_file(file / "index.html", error)) return list(file);
        file /= "index.html";
    }
    if (!fs::is_regular_file(file, error)) return std::nullopt;
    std::ifstream in(file, std::ios::binary);
    if (!in) return std::nullopt;
    return StaticFile{type_of(file), {std::istreambuf_iterator<char>(in), {}}};
}

}  // namespace keelson::cli::streams
