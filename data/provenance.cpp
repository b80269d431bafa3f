#include "data/provenance.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"

namespace edt::data {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

namespace {

// Names of files need not be UTF-8; what is recorded must read back as the same.
std::string valid_text(const std::string& text) {
  return parse_json(dump_json(nlohmann::json(text)), "text").get<std::string>();
}

}  // namespace

void Provenance::add(std::string name, std::string value) {
  EDT_ASSERT(find(name) == nullptr);
  entries_.emplace_back(std::move(name), valid_text(value));
}

void Provenance::add_input(const std::string& name, const fs::path& path,
                           const CountsAsInput& counts) {
  const Fingerprint print = fingerprint(path, counts);
  add(name, print.path);
  if (print.files != 1) add(name + ": files", fmt::to_string(print.files));
  add(name + ": bytes", fmt::to_string(print.bytes));
  add(name + ": time of change", print.modified);
  add(name + ": checksum", checksum_text(print.checksum));
}

const std::string* Provenance::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == entries_.end() ? nullptr : &found->second;
}

std::string Provenance::id() const {
  std::string text;
  for (const auto& [name, value] : entries_) text += name + '\0' + value + '\0';
  return checksum_text(checksum_of(std::span<const char>(text)));
}

std::string Provenance::difference(const Provenance& other, std::size_t most) const {
  std::vector<std::string> lines;
  const auto note = [&](const std::string& name, const std::string* before,
                        const std::string* now) {
    if (before && now && *before == *now) return;
    lines.push_back(fmt::format("{} was {}, is now {}", name, before ? *before : "not given",
                                now ? *now : "not given"));
  };
  for (const auto& [name, value] : entries_) note(name, &value, other.find(name));
  for (const auto& [name, value] : other.entries_) {
    if (!find(name)) note(name, nullptr, &value);
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(most, lines.size()); ++i) {
    text += (i == 0 ? "" : "; ") + lines[i];
  }
  if (lines.size() > most) text += fmt::format("; and {} more", lines.size() - most);
  return text;
}

fs::path Provenance::path(const fs::path& directory) { return directory / "provenance.json"; }

std::string Provenance::text() const {
  ordered_json json = ordered_json::object();
  for (const auto& [name, value] : entries_) json[name] = value;
  return dump_json(json, 2) + "\n";
}

Provenance Provenance::parse(const std::string& text, const std::string& where) {
  Provenance provenance;
  const ordered_json json = try_parse_ordered_json(text);
  require<DataError>(json.is_object() && !json.empty(), "data", "{}: is damaged: not a JSON object",
                     where);
  for (const auto& [name, value] : json.items()) {
    require<DataError>(value.is_string(), "data", "{}: is damaged: '{}' is not text", where, name);
    provenance.entries_.emplace_back(name, value.get<std::string>());
  }
  return provenance;
}

void Provenance::write(const fs::path& directory) const {
  write_text_atomically(path(directory), text());
}

Provenance Provenance::read(const fs::path& directory) {
  const fs::path file = path(directory);
  if (!fs::exists(file)) return {};
  return parse(read_text(file), file.string());
}

}  // namespace edt::data
