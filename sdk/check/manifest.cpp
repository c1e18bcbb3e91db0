#include "manifest.h"

#include <yaml-cpp/yaml.h>

#include <stdexcept>

namespace keelson::check {

Manifest read_manifest(const std::string& path) {
    Manifest manifest;
    try {
        const YAML::Node root = YAML::LoadFile(path);
        if (!root.IsMap()) throw std::runtime_error("it is not a mapping");
        manifest.id = root["id"].as<std::string>("");
        manifest.version = root["version"].as<std::string>("");
        if (const YAML::Node abi = root["abi"]; abi && abi.IsMap()) {
            manifest.abi_minimum = abi["minimum"].as<std::uint32_t>(0);
            manifest.abi_maximum = abi["maximum"].as<std::uint32_t>(0);
        }
        for (const YAML::Node& capability : root["capabilities"]) {
            manifest.capabilities.push_back(capability.as<std::string>());
        }
        if (const YAML::Node limits = root["limits"]; limits && limits.IsMap()) {
            manifest.concurrent_calls = limits["concurrentCalls"].as<int>(manifest.concurrent_calls);
        }
        if (const YAML::Node privileges = root["privileges"]; privileges && privileges.IsMap()) {
            for (const YAML::Node& capability : privileges["capabilities"]) {
                manifest.privileges.push_back(capability.as<std::string>());
            }
            manifest.seccomp = privileges["seccomp"].as<std::string>("default") != "unconfined";
        }
    } catch (const std::exception& error) {
        throw std::runtime_error("the manifest " + path + ": " + error.what());
    }
    if (manifest.id.empty()) throw std::runtime_error("the manifest " + path + " names no id");
    return manifest;
}

}  // namespace keelson::check
