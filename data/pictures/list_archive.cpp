#include "core/base/error.h"
#include "data/pictures/label_list.h"
#include "data/pictures/lister.h"
#include "data/pictures/repeated_names.h"
#include "data/pictures/tar.h"

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

bool is_hidden(const std::string& name) { return name[name.rfind('/') + 1] == '.'; }

bool is_passed_over(const std::string& name) {
  return name.empty() || name.ends_with('/') || is_hidden(name);
}

// A picture or the label of one.
bool is_of_use(const std::string& name) {
  return !is_passed_over(name) && (is_picture_name(name) || split(name).field == "cls");
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
    if (is_passed_over(m.name)) return;
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
      lister_.add_other_file();
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

  // Of files added to an archive that has them, tar takes the last; other readers take all.
  void require_each_once() {
    if (!names_.may_repeat()) return;
    for_each_tar_member(*Archive::open(archive_), [&](const TarMember& m, const auto&) {
      require<DataError>(!is_of_use(m.name) || !names_.is_repeated(m.name), "pictures",
                         "{}: {} stands twice in it; unpacked and packed again, the last one stays",
                         archive_, m.name);
    });
  }

 private:
  void add_sample() {
    if (pictures_.empty()) return lister_.add_other_file();
    require<DataError>(pictures_.size() == 1, "pictures",
                       "{}: sample {} has two pictures, {} and {}", archive_, key_,
                       pictures_.front().name, pictures_.back().name);
    has_samples_ = true;
    lister_.add_labelled(std::move(pictures_[0]), *label_);
  }

  void add_picture(PictureEntry picture) {
    if (labels_ != nullptr) {
      const auto listed = labels_->find(picture.name);
      if (listed == labels_->end()) return lister_.add_other_file();
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
    if (folder.empty()) lister_.refuse_unlabelled(name);
    lister_.add_of_class(std::move(picture), folder);
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
};

}  // namespace

void list_archive(Lister& lister, const fs::path& archive, ListedLabels* labels) {
  const auto opened = Archive::open(archive);
  ArchiveLister members(lister, *opened, labels);
  for_each_tar_member(*opened,
                      [&](const TarMember& m, const std::function<std::string()>& content) {
                        members.member(m, content);
                      });
  members.end_sample();
  members.require_each_once();
}

}  // namespace edt::data
