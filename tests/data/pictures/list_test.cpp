// Every way in which people keep pictures and labels.
#include "data/pictures/list.h"

#include <gmock/gmock-matchers.h>
#include <sys/stat.h>

#include "core/base/log.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/pictures/archive_file.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using test::ArchiveFile;
using test::write_whole;
namespace fs = std::filesystem;
using testing::HasSubstr;
using Names = std::vector<std::pair<std::string, std::int32_t>>;

class List : public testing::Test {
 protected:
  void touch(const std::string& name) const { write_whole(directory_ / name, "x"); }
  void archive(const std::string& name,
               const std::vector<std::pair<std::string, std::string>>& members) const {
    ArchiveFile file(directory_ / name, "ustar", "");
    for (const auto& [member, content] : members) file.add(member, content);
    file.close();
  }
  // Lists, and reads back what was listed.
  Names list(PictureListOptions options) {
    for (auto& path : options.pictures) path = directory_ / path.string();
    if (!options.labels.empty()) options.labels = directory_ / options.labels.string();
    PictureIndexWriter writer(directory_ / "index");
    sources_ = list_pictures(options, writer);
    writer.end_list(sources_);
    writer.finish({}, "id");
    classes_ = classes_of(options, sources_);
    const auto index = PictureIndex::finished(directory_ / "index", "id");
    Names names;
    for (std::uint64_t i = 0; i < index->size(); ++i) {
      const PictureEntry entry = index->at(i);
      names.emplace_back(entry.name, entry.label);
    }
    return names;
  }

  const test::TempDir directory_;
  PictureSources sources_;
  int classes_ = 0;
};

TEST_F(List, ClassFoldersAsTorchvisionWalksThem) {
  for (const char* name : {"p/dog/b.JPEG", "p/dog/a.jpg", "p/cat/sub/z.png", "p/cat/sub-b/y.png",
                           "p/cat/x.webp", "p/cat/notes.txt", "p/readme.md", "p/.hidden/x.jpg"}) {
    touch(name);
  }
  // Folders are compared as paths: '-' comes before '/', but "cat/sub" before "cat/sub-b".
  EXPECT_EQ(list({.pictures = {"p"}}), (Names{{"cat/x.webp", 0},
                                              {"cat/sub/z.png", 0},
                                              {"cat/sub-b/y.png", 0},
                                              {"dog/a.jpg", 1},
                                              {"dog/b.JPEG", 1}}));
  EXPECT_EQ(sources_.class_names, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(sources_.other_files, 1u);
  EXPECT_EQ(classes_, 2);
}

// torchvision takes a GIF for no picture, and leaves it out without a word.
TEST_F(List, NothingIsLeftOutWithoutAWord) {
  for (const char* name : {"p/cat/a.gif", "p/cat/b.HEIC", "p/cat/c.avif", "p/dog/d.jxl",
                           "p/dog/e.jp2", "p/dog/notes.txt", "p/dog/Thumbs.db"}) {
    touch(name);
  }
  EXPECT_EQ(list({.pictures = {"p"}}).size(), 5u);
  EXPECT_NE(sources_.summary.find("; 2 other files are left out"), std::string::npos);
  EXPECT_ERROR(list({.pictures = {"p/cat/a.gif"}}), UsageError, "a.gif: is one picture",
               "a folder of them");
}

TEST_F(List, NamesOfClassesAreLines) {
  touch("p/a\nb/x.jpg");
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError,
               "the folder 'a' goes on behind the end of a line");
}

TEST_F(List, NumberedFoldersAreInDoubt) {
  for (const char* name : {"p/2/a.jpg", "p/10/b.jpg"}) touch(name);
  EXPECT_ERROR(list({.pictures = {"p"}}), UsageError, "--class-order");
  EXPECT_EQ(list({.pictures = {"p"}, .class_order = ClassOrder::kNumber}),
            (Names{{"10/b.jpg", 1}, {"2/a.jpg", 0}}));
  EXPECT_EQ(list({.pictures = {"p"}, .class_order = ClassOrder::kName}),
            (Names{{"10/b.jpg", 0}, {"2/a.jpg", 1}}));
}

TEST_F(List, WithoutClasses) {
  for (const char* name : {"p/b.jpg", "p/a.jpg"}) touch(name);
  EXPECT_ERROR(list({.pictures = {"p"}}), UsageError, "a.jpg: has no label", "--classes 1");
  EXPECT_EQ(list({.pictures = {"p"}, .classes = 1}), (Names{{"a.jpg", 0}, {"b.jpg", 0}}));
  EXPECT_EQ(classes_, 1);
  archive("flat.tar", {{"a.jpg", "x"}});
  EXPECT_ERROR(list({.pictures = {"flat.tar"}}), UsageError, "flat.tar:a.jpg: has no label");
  EXPECT_EQ(list({.pictures = {"flat.tar"}, .classes = 1}), (Names{{"a.jpg", 0}}));
}

TEST_F(List, AListOfLabels) {
  for (const char* name : {"p/a b.jpg", "p/c.jpg"}) touch(name);
  write_whole(directory_ / "labels.txt", "c.jpg 3\n\na b.jpg\t1\r\nd/e.jpg,0\n");
  EXPECT_EQ(list({.pictures = {"p"}, .labels = "labels.txt"}),
            (Names{{"c.jpg", 3}, {"a b.jpg", 1}, {"d/e.jpg", 0}}));
  EXPECT_EQ(classes_, 4);
  EXPECT_EQ(list({.pictures = {"p"}, .labels = "labels.txt", .classes = 9}).size(), 3u);
  EXPECT_EQ(classes_, 9);
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.txt", .classes = 2}), UsageError,
               "--classes is 2", "label is 3");
  write_whole(directory_ / "labels.txt", "c.jpg 3\nc.jpg cat\n");
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.txt"}), DataError, "labels.txt:2",
               "'cat'");
  for (const char* label : {"-1", "16777216", "4294967297", "1.0"}) {
    write_whole(directory_ / "labels.txt", fmt::format("c.jpg {}\n", label));
    EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.txt"}), DataError, "labels.txt:1",
                 fmt::format("'{}' is no whole number from 0 to 16777215", label));
  }
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "none.txt"}), DataError, "none.txt");
  write_whole(directory_ / "labels.txt",
              "\xef\xbb\xbf"
              "c.jpg 3\r\n");  // as Excel begins it
  EXPECT_EQ(list({.pictures = {"p"}, .labels = "labels.txt"}), (Names{{"c.jpg", 3}}));
  write_whole(directory_ / "labels.txt", std::string("c.jpg\0 3\n", 9));
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.txt"}), DataError, "labels.txt:1",
               "a byte 0");
  archive("val.tar", {{"./v1.jpg", "x"}, {"v2.jpg", "y"}, {"v3.jpg", "z"}});
  write_whole(directory_ / "labels.txt", "v1.jpg 5\nv3.jpg 2\n");
  EXPECT_EQ(list({.pictures = {"val.tar"}, .labels = "labels.txt"}),
            (Names{{"v1.jpg", 5}, {"v3.jpg", 2}}));
  write_whole(directory_ / "labels.txt", "v1.jpg 5\nv9.jpg 2\n");
  EXPECT_ERROR(list({.pictures = {"val.tar"}, .labels = "labels.txt"}), DataError, "'v9.jpg'",
               "none of the archives");
}

// It would be two samples, perhaps of two classes.
TEST_F(List, APictureIsListedOnce) {
  for (const char* name : {"p/a.jpg", "p/b.jpg"}) touch(name);
  archive("v.tar", {{"a.jpg", "x"}, {"b.jpg", "y"}});
  for (const char* again : {"a.jpg 1", "./a.jpg 0", "x/../a.jpg 0"}) {
    write_whole(directory_ / "labels.txt", fmt::format("a.jpg 0\nb.jpg 1\n{}\n", again));
    const std::string name(again, std::string(again).rfind(' '));
    EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.txt"}), DataError,
                 "labels.txt: '" + name + "' stands twice");
  }
  write_whole(directory_ / "labels.txt", "a.jpg 0\n./a.jpg 1\n");
  EXPECT_ERROR(list({.pictures = {"v.tar"}, .labels = "labels.txt"}), DataError,
               "labels.txt: 'a.jpg' stands twice");
  // One that was appended again, as tar -r does.
  archive("w.tar", {{"c.jpg", "x"}, {"./a.jpg", "y"}});
  write_whole(directory_ / "labels.txt", "a.jpg 0\n");
  EXPECT_ERROR(list({.pictures = {"v.tar", "w.tar"}, .labels = "labels.txt"}), DataError,
               "w.tar:a.jpg: is the second of that name");
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "p"}), DataError, "p: the list of labels cannot");
}

// tar -r and -u append what is there already, under the same name; tar itself takes the last.
TEST_F(List, ANameStandsOnceInAnArchive) {
  archive("t.tar", {{"cat/a.jpg", "x"}, {"cat/b.jpg", "y"}, {"./cat/a.jpg", "z"}});
  EXPECT_ERROR(list({.pictures = {"t.tar"}}), DataError, "t.tar: cat/a.jpg stands twice in it",
               "the last one stays");
  archive("w.tar",
          {{"s.cls", "1"}, {"s.jpg", "a"}, {"s2.cls", "1"}, {"s2.jpg", "a"}, {"s.cls", "2"}});
  EXPECT_ERROR(list({.pictures = {"w.tar"}}), DataError, "w.tar: s.cls stands twice in it");
  ArchiveFile packed(directory_ / "t.tgz", "ustar", "gzip");
  for (const char* name : {"cat/a.jpg", "cat/b.jpg", "cat/a.jpg"}) packed.add(name, "x");
  packed.close();
  EXPECT_ERROR(list({.pictures = {"t.tgz"}}), DataError, "t.tgz: cat/a.jpg stands twice in it");
  // What is of no use may; shards begin their numbers anew; a list of labels takes what it names.
  archive("u.tar", {{"README", "x"}, {"cat/a.jpg", "y"}, {"README", "z"}});
  archive("v.tar", {{"cat/a.jpg", "y"}});
  EXPECT_EQ(list({.pictures = {"u.tar", "v.tar"}}).size(), 2u);
  write_whole(directory_ / "labels.txt", "cat/b.jpg 1\n");
  EXPECT_EQ(list({.pictures = {"t.tar"}, .labels = "labels.txt"}), (Names{{"cat/b.jpg", 1}}));
}

// Each would be a sample less, without a word.
TEST_F(List, LinksThatLeadNowhereAreRefused) {
  ArchiveFile file(directory_ / "a.tar", "pax", "");
  file.add("cat/one.jpg", "content");
  file.add_link("cat/two.jpg", "cat/one.jpg");
  file.close();
  EXPECT_ERROR(list({.pictures = {"a.tar"}}), DataError,
               "a.tar:cat/two.jpg: is a link to cat/one.jpg", "--hard-dereference");
  ArchiveFile other(directory_ / "b.tar", "pax", "");
  other.add("cat/one.jpg", "content");
  other.add_link("latest", "cat/one.jpg");
  other.close();
  EXPECT_EQ(list({.pictures = {"b.tar"}}).size(), 1u) << "no picture by its name";
  touch("p/cat/1.jpg");
  std::filesystem::create_symlink("1.jpg", directory_ / "p/cat/2.jpg");
  EXPECT_EQ(list({.pictures = {"p"}}).size(), 2u);
  std::filesystem::create_symlink("../.git/annex/3.jpg", directory_ / "p/cat/3.jpg");
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError,
               "p/cat/3.jpg: is a link to ../.git/annex/3.jpg, which is not there");
}

// Pictures of cats and dogs would be of the classes "train" and "val", or all of "animals".
TEST_F(List, FoldersAboveThoseOfClassesAreRefused) {
  for (const char* name : {"p/train/cat/1.jpg", "p/train/dog/1.jpg", "p/val/cat/1.jpg"})
    touch(name);
  EXPECT_ERROR(list({.pictures = {"p"}}), UsageError, "its folders (train, val) are parts of a set",
               "p/train");
  EXPECT_EQ(list({.pictures = {"p/train"}}).size(), 2u);
  EXPECT_EQ(list({.pictures = {"p"}, .classes = 1}).size(), 3u);
  for (const char* name : {"q/animals/cat/1.jpg", "q/animals/dog/1.jpg"}) touch(name);
  EXPECT_ERROR(list({.pictures = {"q"}}), UsageError, "its one folder, animals, holds folders",
               "--classes 1");
  touch("q/animals/1.jpg");
  EXPECT_EQ(list({.pictures = {"q"}}).size(), 3u) << "as torchvision walks them";
  for (const char* name : {"t/train/1.jpg", "t/test/1.jpg"}) touch(name);
  testing::internal::CaptureStderr();
  EXPECT_EQ(list({.pictures = {"t"}}).size(), 2u) << "locomotives and examinations";
  log::flush();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("(test, train) are taken as classes: are they parts of a set?"));
}

TEST_F(List, NothingIsNamedTwice) {
  touch("p/cat/1.jpg");
  EXPECT_ERROR(list({.pictures = {"p", "p/cat/.."}}), UsageError, "--pictures names", "twice");
}

// What is warned of while `action` runs.
template <class Action>
std::string warnings_of(Action&& action) {
  testing::internal::CaptureStderr();
  action();
  log::flush();
  return testing::internal::GetCapturedStderr();
}

constexpr const char* kOnePoint = "caf\u00e9";    // as people type it
constexpr const char* kTwoPoints = "cafe\u0301";  // as macOS hands it out

TEST_F(List, ClassesThatLookTheSame) {
  for (const char* name : {"p/Cat/1.jpg", "p/cat/1.jpg", "p/dog/1.jpg"}) touch(name);
  EXPECT_THAT(warnings_of([&] { EXPECT_EQ(list({.pictures = {"p"}}).back().second, 2); }),
              HasSubstr("the classes 'Cat' and 'cat' look the same"));
  for (const char* name : {"q/a b/1.jpg", "q/a\u00a0b/1.jpg"}) touch(name);
  EXPECT_THAT(warnings_of([&] { EXPECT_EQ(list({.pictures = {"q"}}).size(), 2u); }),
              HasSubstr("'a b' and 'a\\xc2\\xa0b' look the same"));
}

TEST_F(List, OneNameInTwoFormsOfUnicodeIsOneClass) {
  touch(fmt::format("p/{}/1.jpg", kOnePoint));
  touch("p/dog/1.jpg");
  EXPECT_EQ(list({.pictures = {"p"}}).size(), 2u);
  touch(fmt::format("p/{}/2.jpg", kTwoPoints));
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError, "'cafe\\xcc\\x81' and 'caf\\xc3\\xa9'",
               "one name in two forms");
  archive("c.tar",
          {{fmt::format("{}/1.jpg", kOnePoint), "x"}, {fmt::format("{}/2.jpg", kTwoPoints), "y"}});
  EXPECT_ERROR(list({.pictures = {"c.tar"}}), DataError, "one name in two forms");
}

TEST_F(List, ListsFindNamesInOneFormAlone) {
  archive("c.tar", {{fmt::format("{}.jpg", kTwoPoints), "x"}});
  write_whole(directory_ / "labels.txt", fmt::format("{}.jpg 0\n", kOnePoint));
  EXPECT_ERROR(list({.pictures = {"c.tar"}, .labels = "labels.txt"}), DataError,
               "is in none of the archives; there is one of that name in another form");
  write_whole(directory_ / "labels.txt", "none.jpg 0\n");
  EXPECT_ERROR(list({.pictures = {"c.tar"}, .labels = "labels.txt"}), DataError,
               "is in none of the archives");
}

// Lists as people have them: ImageNet's names have no endings, others begin above the folder.
TEST_F(List, NamesThatAreNearlyThoseOfFilesAreExplained) {
  for (const char* name : {"p/cat/1.JPEG", "p/dog/2.JPEG"}) touch(name);
  const auto refused = [&](const std::string& lines, const std::string& why) {
    write_whole(directory_ / "l.txt", lines);
    EXPECT_ERROR(list({.pictures = {"p"}, .labels = "l.txt"}), DataError, "l.txt: '", "is not in",
                 why);
  };
  refused("cat/1 0\ndog/2 1\n", "p/cat/1.JPEG is: names in a list need their endings");
  refused("p/cat/1.JPEG 0\n", "p/cat/1.JPEG is: names in a list begin below the folder");
  refused("data/p/cat/1.JPEG 0\n", "p/cat/1.JPEG is: names in a list begin below the folder");
  // A name that is like none is found to be missing when the pictures are looked at.
  write_whole(directory_ / "l.txt", "cat/3.JPEG 0\n");
  EXPECT_EQ(list({.pictures = {"p"}, .labels = "l.txt"}).size(), 1u);
  archive("p.tar", {{"cat/1.JPEG", "x"}, {"dog/2.JPEG", "y"}});
  for (const char* line : {"cat/1 0\n", "p/cat/1.JPEG 0\n"}) {
    write_whole(directory_ / "l.txt", line);
    EXPECT_ERROR(list({.pictures = {"p.tar"}, .labels = "l.txt"}), DataError,
                 "is in none of the archives; not in the list: ", "p.tar:cat/1.JPEG");
  }
}

// Of systems, not of people; a folder of thumbnails was a class of its own, or more of the class.
TEST_F(List, WhatSystemsLeaveIsNoPicture) {
  for (const char* name :
       {"p/cat/1.jpg", "p/cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "p/__MACOSX/cat/1.jpg",
        "p/lost+found/1.jpg", "p/dog/.ipynb_checkpoints/1-checkpoint.jpg", "p/dog/1.jpg"}) {
    touch(name);
  }
  const Names both{{"cat/1.jpg", 0}, {"dog/1.jpg", 1}};
  EXPECT_EQ(list({.pictures = {"p"}}), both);
  archive("p.tar", {{"./cat/1.jpg", "a"},
                    {"./cat/.ipynb_checkpoints/1-checkpoint.jpg", "b"},
                    {"./__MACOSX/cat/1.jpg", "c"},
                    {"./dog/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "d"},
                    {"./dog/1.jpg", "e"}});
  EXPECT_EQ(list({.pictures = {"p.tar"}}), both);
  EXPECT_EQ(sources_.class_names, (std::vector<std::string>{"cat", "dog"}));
}

TEST_F(List, WhatLiesBesideTheClassesIsNamed) {
  for (const char* name : {"p/cat/1.jpg", "p/dog/1.jpg", "p/b.png", "p/a.png", "p/old.tar"}) {
    touch(name);
  }
  const std::string said = warnings_of([&] { EXPECT_EQ(list({.pictures = {"p"}}).size(), 2u); });
  EXPECT_THAT(said, HasSubstr("2 pictures beside the class folders are left out, as a.png"));
  EXPECT_THAT(said, HasSubstr("the archive beside its folders or pictures is left out (old.tar)"));
}

TEST_F(List, DownloadsThatHaveNotEndedAreNamed) {
  fs::create_directory(directory_ / "d");
  archive("d/0.tar", {{"cat/1.jpg", "x"}});
  touch("d/1.tar.part");
  EXPECT_THAT(warnings_of([&] { EXPECT_EQ(list({.pictures = {"d"}}).size(), 1u); }),
              HasSubstr("d: 1 of its files is named as a download or a copy that has not ended "
                        "(1.tar.part) and is left out"));
  for (const char* name : {"p/cat/1.jpg", "p/cat/2.jpg.crdownload"}) touch(name);
  EXPECT_THAT(warnings_of([&] { EXPECT_EQ(list({.pictures = {"p"}}).size(), 1u); }),
              HasSubstr("(2.jpg.crdownload)"));
}

TEST_F(List, NoPictureIsThereTwice) {
  for (const char* name : {"p/cat/1.jpg", "p/dog/1.jpg"}) touch(name);
  fs::create_directory_symlink("cat", directory_ / "p/tiger");
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError, "cat and tiger are the same folder");
  fs::create_directory(directory_ / "d");
  archive("d/0.tar", {{"cat/1.jpg", "x"}});
  fs::copy(directory_ / "d/0.tar", directory_ / "d/0 (1).tar");
  EXPECT_ERROR(list({.pictures = {"d"}}), DataError, "0 (1).tar", "hold the same bytes");
  EXPECT_ERROR(list({.pictures = {"d/0.tar", "d/0 (1).tar"}}), DataError, "hold the same bytes");
  fs::rename(directory_ / "d/0 (1).tar", directory_ / "d/0.tar.gz");
  EXPECT_ERROR(list({.pictures = {"d"}}), DataError, "are 0.tar and 0.tar.gz one archive");
}

TEST_F(List, WhatIsNeitherFileNorFolderIsRefused) {
  touch("p/cat/1.jpg");
  fs::create_symlink("2.jpg", directory_ / "p/cat/2.jpg");  // leads to itself
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError, "2.jpg: is a link to 2.jpg");
  fs::remove(directory_ / "p/cat/2.jpg");
  ASSERT_EQ(mkfifo((directory_ / "p/cat/3.jpg").c_str(), 0600), 0);
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError, "3.jpg: is neither a file nor a folder");
}

// Else all of them would be of the class "train".
TEST_F(List, LabelsThatStandApartFromTheirPictures) {
  archive("apart.tar", {{"0.jpg", "a"}, {"1.jpg", "b"}, {"0.cls", "3"}, {"1.cls", "4"}});
  EXPECT_ERROR(list({.pictures = {"apart.tar"}}), UsageError, "apart.tar:0.jpg: has no label",
               "0.cls is the label of no picture", "tar --sort=name");
  archive("dots.tar", {{"22.05.jpg", "a"}, {"22.05.cls", "3"}});
  EXPECT_ERROR(list({.pictures = {"dots.tar"}}), UsageError, "22.05.cls is the label of no picture",
               "up to its first dot");
  archive("folder.tar", {{"train/0.jpg", "a"}, {"train/1.jpg", "b"}, {"train/0.cls", "3"}});
  EXPECT_ERROR(list({.pictures = {"folder.tar"}}), DataError,
               "train/0.jpg: has the label of its folder",
               "train/0.cls is the label of no picture");
  archive("json.tar", {{"0.jpg", "a"}, {"0.json", "{}"}});
  EXPECT_ERROR(list({.pictures = {"json.tar"}}), UsageError, "0.json is not looked into");
  archive("v1.5.tar", {{"train.v1/0.jpg", "a"}, {"train.v1/0.cls", "3"}});
  EXPECT_EQ(list({.pictures = {"v1.5.tar"}}), (Names{{"train.v1/0.jpg", 3}}));
}

TEST_F(List, ListsAsOtherProgramsWriteThem) {
  touch("p/a.jpg");
  write_whole(directory_ / "labels.csv", "\"a.jpg\",1\n\"say \"\"b\"\".jpg\",2\n\"\n");
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.csv"}), DataError, "labels.csv:3");
  write_whole(directory_ / "labels.csv", "\"a.jpg\",1\n\"say \"\"b\"\".jpg\",2\n");
  EXPECT_EQ(list({.pictures = {"p"}, .labels = "labels.csv"}),
            (Names{{"a.jpg", 1}, {"say \"b\".jpg", 2}}));
  write_whole(directory_ / "labels.json", "{\"labels\": [[\"a.jpg\", 1]]}");
  EXPECT_ERROR(list({.pictures = {"p"}, .labels = "labels.json"}), DataError,
               "labels.json:1: is JSON");
}

TEST_F(List, ImageNetsTarOfTars) {
  archive("n02.tar", {{"n02_1.JPEG", "b"}, {"n02_0.JPEG", "c"}});
  archive("n01.tar", {{"n01_7.JPEG", "a"}});
  archive("train.tar", {{"n02.tar", test::read_whole(directory_ / "n02.tar")},
                        {"n01.tar", test::read_whole(directory_ / "n01.tar")}});
  EXPECT_EQ(list({.pictures = {"train.tar"}}),
            (Names{{"n02/n02_1.JPEG", 1}, {"n02/n02_0.JPEG", 1}, {"n01/n01_7.JPEG", 0}}));
  EXPECT_EQ(sources_.class_names, (std::vector<std::string>{"n01", "n02"}));
}

TEST_F(List, ClassFoldersInArchives) {
  archive("a.tar", {{"root/dog/1.jpg", "a"}, {"root/cat/1.jpg", "b"}, {"root/cat/1.png", "c"}});
  archive("b.tar", {{"root/ant/1.jpg", "d"}, {"root/cat/._9.jpg", "fork"}});
  EXPECT_EQ(list({.pictures = {"a.tar", "b.tar"}}), (Names{{"root/dog/1.jpg", 2},
                                                           {"root/cat/1.jpg", 1},
                                                           {"root/cat/1.png", 1},
                                                           {"root/ant/1.jpg", 0}}));
}

TEST_F(List, Webdataset) {
  std::filesystem::create_directory(directory_ / "shards");
  archive("shards/2.tar", {{"s0.cls", "7"}, {"s0.jpg", "a"}, {"s0.json", "{}"}});
  archive("shards/10.tar", {{"d/s1.seg.png", "b"}, {"d/s1.cls", " 2\n"}});
  // A folder of nothing but archives stands for these, in the order of their numbers.
  EXPECT_EQ(list({.pictures = {"shards"}}), (Names{{"s0.jpg", 7}, {"d/s1.seg.png", 2}}));
  EXPECT_EQ(classes_, 8);
  archive("x.tar", {{"s0.cls", "seven"}, {"s0.jpg", "a"}});
  EXPECT_ERROR(list({.pictures = {"x.tar"}}), DataError, "x.tar:s0.cls", "'seven'");
  archive("x.tar", {{"s0.cls", "1"}, {"s0.jpg", "a"}, {"s0.png", "b"}});
  EXPECT_ERROR(list({.pictures = {"x.tar"}}), DataError, "s0", "two pictures");
  archive("x.tar", {{"s0.cls", "1"}, {"s0.jpg", "a"}, {"s1.jpg", "b"}});
  EXPECT_ERROR(list({.pictures = {"x.tar"}}), DataError, "x.tar:s1.jpg", ".cls");
  archive("x.tar", {{"s0.cls", "1"}, {"s0.jpg", "a"}});
  archive("y.tar", {{"cat/1.jpg", "a"}});
  EXPECT_ERROR(list({.pictures = {"x.tar", "y.tar"}}), DataError, "cat/1.jpg", "s0.jpg");
}

TEST_F(List, WhatIsNotThere) {
  touch("p/cat/notes.txt");
  touch("q/cat/a.jpg");
  EXPECT_ERROR(list({.pictures = {"none"}}), DataError, "none: there is no such folder");
  EXPECT_ERROR(list({.pictures = {"p"}}), DataError, "p/cat: a class without pictures");
  archive("a.tar", {{"readme", "x"}});
  EXPECT_ERROR(list({.pictures = {"a.tar"}}), DataError, "holds no pictures", "1 other files");
  EXPECT_ERROR(list({.pictures = {"q", "a.tar"}}), UsageError, "one kind");
  write_whole(directory_ / "labels.txt", "a.jpg 1\n");
  EXPECT_ERROR(list({.pictures = {"q", "p"}, .labels = "labels.txt"}), UsageError, "--labels");
  EXPECT_ERROR(list({.pictures = {"q"}, .classes = 3}), UsageError, "--classes is 3",
               "1 class folders");
  touch("q/dataset.json");
  EXPECT_ERROR(list({.pictures = {"q"}}), UsageError, "dataset.json", "--labels");
}

TEST_F(List, TheIndexLeavesOutWhatIsBroken) {
  for (const char* name : {"p/a/1.jpg", "p/a/2.jpg", "p/a/3.jpg"}) touch(name);
  PictureIndexWriter writer(directory_ / "index");
  writer.end_list(list_pictures({.pictures = {directory_ / "p"}}, writer));
  EXPECT_EQ(PictureIndex::listed(directory_ / "index").size(), 3u);
  EXPECT_FALSE(PictureIndex::finished(directory_ / "index", "x"));
  writer.finish({{.index = 1, .reason = "damaged"}}, "x");
  EXPECT_FALSE(PictureIndex::finished(directory_ / "index", "y"));
  const auto index = PictureIndex::finished(directory_ / "index", "x");
  ASSERT_TRUE(index);
  ASSERT_EQ(index->size(), 2u);
  EXPECT_EQ(index->at(1).name, "a/3.jpg");
  EXPECT_EQ(index->left_out(), 1u);
  EXPECT_EQ(index->name_of(index->at(0)), (directory_ / "p/a/1.jpg").string());
}

}  // namespace
}  // namespace edt::data
