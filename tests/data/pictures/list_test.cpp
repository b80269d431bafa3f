// Every way in which people keep pictures and labels.
#include "data/pictures/list.h"

#include <gmock/gmock-matchers.h>

#include "core/base/log.h"
#include "tests/core/storage/expect_error.h"
#include "tests/data/pictures/archive_file.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using test::ArchiveFile;
using test::write_whole;
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
  EXPECT_EQ(list({.pictures = {"t"}}).size(), 2u) << "locomotives and examinations";
}

TEST_F(List, NothingIsNamedTwice) {
  touch("p/cat/1.jpg");
  EXPECT_ERROR(list({.pictures = {"p", "p/cat/.."}}), UsageError, "--pictures names", "twice");
}

TEST_F(List, ClassesThatDifferInCaseAlone) {
  for (const char* name : {"p/Cat/1.jpg", "p/cat/1.jpg", "p/dog/1.jpg"}) touch(name);
  testing::internal::CaptureStderr();
  EXPECT_EQ(list({.pictures = {"p"}}).back().second, 2);
  log::flush();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("the classes 'Cat' and 'cat' differ in upper and lower case"));
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
