// What list_pictures() knows while it lists: the files list_*.cpp share it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/pictures/list.h"
#include "data/walk.h"

namespace edt::data {

class Lister {
 public:
  Lister(const PictureListOptions& options, PictureIndexWriter& index,
         std::function<void(std::uint64_t)> progress);

  const PictureListOptions& options() const { return options_; }
  bool is_one_class() const { return options_.classes == 1; }

  // The source's number.
  std::uint32_t begin_source(PictureSources::Source source);
  void add_of_class(PictureEntry entry, const std::string& class_name);
  void add_labelled(PictureEntry entry, std::int32_t label);
  void add_other_file(const std::string& name = {});
  // Refuses a picture whose label follows from nothing; `more` is what else is known of it.
  [[noreturn]] void refuse_unlabelled(const std::string& picture,
                                      const std::string& more = {}) const;

  // Pictures of archives that the list of labels does not name: the first, for the line about a
  // name in the list that no picture has.
  void note_unlisted(const std::string& picture) {
    if (unlisted_.empty()) unlisted_ = picture;
  }
  std::string unlisted() const {
    return unlisted_.empty() ? "" : "; not in the list: " + unlisted_;
  }

  PictureSources finish();

 private:
  void add(PictureEntry entry);

  const PictureListOptions& options_;
  PictureIndexWriter& index_;
  std::function<void(std::uint64_t)> progress_;
  PictureSources sources_;
  UnfinishedFiles unfinished_;
  std::map<std::string, std::int32_t> classes_;  // their places in order of appearance
  std::string numbered_, named_;                 // the first picture with a label of that kind
  std::string unlisted_;
};

// Pictures of a folder: by class folders, or by the list of labels.
void list_folder(Lister& lister, const std::filesystem::path& folder);
// Pictures of a tar archive. `labels`: those of a list by name, each marked when it is found; null
// where there is no list.
struct ListedLabel {
  std::int32_t label = 0;
  bool is_found = false;
  bool has_other_form = false;  // there is a picture of this name in another form of Unicode
};
using ListedLabels = std::map<std::string, ListedLabel, std::less<>>;
void list_archive(Lister& lister, const std::filesystem::path& archive, ListedLabels* labels);

}  // namespace edt::data
