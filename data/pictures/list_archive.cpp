#include "core/base/error.h"
#include "core/unicode/unicode.h"
#include "data/pictures/label_list.h"
#include "data/pictures/lister.h"
#include "data/pictures/repeated_names.h"
#include "data/pictures/tar.h"
#include "data/walk.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

// A name as webdataset splits it: up to the first dot of the file's name, and the rest
// (webdataset/webdataset src/webdataset/tariterators.py, base_plus_ext).
struct KeyAndField {
  std::string key, field;
};

KeyAndField split(const std::string& name) {
  const std::size_t file = name.rfind('/') + 1;  // 0 where there is none
  const std::size_t dot = std::min(name.find('.', file), name.size());
  return {name.substr(0, dot), name.substr(std::min(dot + 1, name.size()))};
}

bool is_no_member(const std::string& name) {
  return name.empty() || name.ends_with('/') || is_below_passed_over(name);
}

// A picture or the label of one.
bool is_of_use(const std::string& name) {
  return !is_no_member(name) && (is_picture_name(name) || split(name).field == "cls");
}

// The folder that a picture lies in; empty: none.
std::string folder_of(const std::string& name) {
  const std::size_t end = name.rfind('/');
  if (end == name.npos) return "";
  const std::size_t begin = name.rfind('/', end - 1);
  return name.substr(begin == name.npos ? 0 : begin + 1,
                     end - (begin == name.npos ? 0 : begin + 1));
}

class ArchiveLister {
 public:
  ArchiveLister(Lister& lister, const Archive& archive, ListedLabels* labels)
      : lister_(lister),
        archive_(archive.path().string()),
        labels_(labels),
        source_(lister.begin_source(
            {.path = archive.path(), .is_archive = true, .is_packed = !archive.any_order()})) {}

  void member(const TarMember& m, const std::function<std::string()>& content) {
    if (is_no_member(m.name)) return;
    require<DataError>(m.link.empty() || !is_of_use(m.name), "pictures",
                       "{}:{}: is a link to {}, and links in archives are not followed: pack with "
                       "tar --dereference --hard-dereference",
                       archive_, m.name, m.link);
    if (labels_ == nullptr && is_of_use(m.name)) names_.add(m.name);
    KeyAndField name = split(m.name);
    if (name.key != key_) end_sample();
    key_ = std::move(name.key);
    if (name.field == "cls") {
      label_ = parse_label(content(), archive_ + ":" + m.name);
    } else if (is_picture_name(m.name)) {
      pictures_.push_back(
          {.name = m.name, .source = source_, .offset = m.offset, .bytes = m.bytes});
    } else {
      if (m.name.ends_with(".cls")) note_orphan(m.name);
      if (name.field == "json" && json_.empty()) json_ = m.name;
      lister_.add_other_file(m.name);
    }
  }

  // Members of one key are a sample of webdataset where one of them is a label; else each picture
  // stands for itself.
  void end_sample() {
    if (labels_ == nullptr && label_ && !lister_.is_one_class()) {
      add_sample();
    } else {
      for (PictureEntry& picture : pictures_) add_picture(std::move(picture));
    }
    pictures_.clear();
    label_.reset();
  }

  void end() {
    end_sample();
    if (!unlabelled_.empty()) lister_.refuse_unlabelled(unlabelled_, why_no_label());
    require<DataError>(orphan_.empty() || by_folder_.empty(), "pictures",
                       "{}: has the label of its folder{}", by_folder_, why_no_label());
    require_each_once();
  }

 private:
  // Of files added to an archive that has them, tar takes the last; other readers take all.
  void require_each_once() {
    if (!names_.may_repeat()) return;
    for_each_tar_member(*Archive::open(archive_), [&](const TarMember& m, const auto&) {
      require<DataError>(!is_of_use(m.name) || !names_.is_repeated(m.name), "pictures",
                         "{}: {} stands twice in it; unpacked and packed again, the last one stays",
                         archive_, m.name);
    });
  }

  void note_orphan(const std::string& label) {
    if (orphan_.empty()) orphan_ = label;
  }

  std::string why_no_label() const {
    if (!orphan_.empty()) {
      return fmt::format(
          ", and {} is the label of no picture (webdataset's files of a sample stand "
          "one behind another, under one name up to its first dot: tar --sort=name)",
          orphan_);
    }
    return json_.empty() ? "" : fmt::format(", and {} is not looked into", json_);
  }

  void add_sample() {
    if (pictures_.empty()) {
      note_orphan(key_ + ".cls");
      return lister_.add_other_file();
    }
    require<DataError>(pictures_.size() == 1, "pictures",
                       "{}: sample {} has two pictures, {} and {}", archive_, key_,
                       pictures_.front().name, pictures_.back().name);
    has_samples_ = true;
    lister_.add_labelled(std::move(pictures_[0]), *label_);
  }

  void add_picture(PictureEntry picture) {
    if (labels_ != nullptr) {
      const auto listed = labels_->find(picture.name);
      if (listed == labels_->end()) {
        note_other_form(picture.name);
        lister_.note_unlisted(archive_ + ":" + picture.name);
        return lister_.add_other_file();
      }
      require<DataError>(!listed->second.is_found, "pictures",
                         "{}:{}: is the second of that name in the archives; the list of labels "
                         "names one",
                         archive_, picture.name);
      listed->second.is_found = true;
      return lister_.add_labelled(std::move(picture), listed->second.label);
    }
    if (lister_.is_one_class()) return lister_.add_labelled(std::move(picture), 0);
    const std::string name = archive_ + ":" + picture.name;
    require<DataError>(!has_samples_, "pictures",
                       "{}: has no label beside it (.cls), as others in its archive have", name);
    const std::string folder = folder_of(picture.name);
    if (folder.empty()) {  // its label may come yet, where it does not belong
      if (unlabelled_.empty()) unlabelled_ = name;
      return;
    }
    if (by_folder_.empty()) by_folder_ = name;
    lister_.add_of_class(std::move(picture), folder);
  }

  void note_other_form(const std::string& name) {
    for (const std::string& other : {composed(name), decomposed(name)}) {
      const auto listed = labels_->find(other);
      if (listed != labels_->end()) listed->second.has_other_form = true;
    }
  }

  Lister& lister_;
  const std::string archive_;
  ListedLabels* labels_;
  const std::uint32_t source_;
  RepeatedNames names_;  // of pictures and labels; a list sees to that itself
  std::string key_;
  std::vector<PictureEntry> pictures_;  // of this key
  std::optional<std::int32_t> label_;
  bool has_samples_ = false;
  std::string unlabelled_;  // the first picture without a label
  std::string by_folder_;   // the first picture of a class folder
  std::string orphan_;      // the first label without a picture
  std::string json_;        // the first file that may hold labels for others
};

}  // namespace

void list_archive(Lister& lister, const fs::path& archive, ListedLabels* labels) {
  const auto opened = Archive::open(archive);
  ArchiveLister members(lister, *opened, labels);
  for_each_tar_member(*opened,
                      [&](const TarMember& m, const std::function<std::string()>& content) {
                        members.member(m, content);
                      });
  members.end();
}

}  // namespace edt::data
