// What a data set is made from: every option and input that shapes its shards, recorded beside them
// (provenance.json), so that a later call that would make others is noticed.
#pragma once

#include <concepts>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/fingerprint.h"

namespace edt::data {

class Provenance {
 public:
  // Names are unique; the order is that of messages.
  void add(std::string name, std::string value);
  template <std::same_as<bool> Switch>  // a text is not one
  void add(std::string name, Switch value) {
    add(std::move(name), std::string(value ? "on" : "off"));
  }
  // Path, size, time of change, and a checksum of the beginning and of a sample of the bytes. Of a
  // folder: the number of its data files, their sizes and times together, and a checksum of all
  // names, sizes and times and of the bytes of some files. DataError where there is nothing.
  void add_input(const std::string& name, const std::filesystem::path& path,
                 const CountsAsInput& counts = may_hold_arrays);

  bool empty() const { return entries_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }
  // 16 hexadecimal digits over everything: each shard carries them.
  std::string id() const;
  // What differs from this in `other`, at most `most` times "name was A, is now B"; empty: nothing.
  std::string difference(const Provenance& other, std::size_t most = 4) const;

  // As it is recorded, and back: `where` is for the DataError about what is damaged.
  std::string text() const;
  static Provenance parse(const std::string& text, const std::string& where);

  // Durably, in `directory`.
  void write(const std::filesystem::path& directory) const;
  // Empty where there is no record; DataError where it is damaged.
  static Provenance read(const std::filesystem::path& directory);
  static std::filesystem::path path(const std::filesystem::path& directory);

 private:
  const std::string* find(std::string_view name) const;

  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace edt::data
