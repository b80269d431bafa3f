// Archives written by libarchive in every dialect, listed and read again.
#include "data/pictures/tar.h"

#include "tests/core/storage/expect_error.h"
#include "tests/data/pictures/archive_file.h"
#include "tests/support/temp_dir.h"

namespace edt::data {
namespace {

using test::ArchiveFile;
using test::TempDir;

struct Listed {
  std::string name, content;
  bool operator==(const Listed&) const = default;
};

std::vector<Listed> list(const std::filesystem::path& path) {
  const auto archive = Archive::open(path);
  std::vector<TarMember> members;
  for_each_tar_member(*archive, [&](const TarMember& m, const auto&) { members.push_back(m); });
  std::vector<Listed> listed;
  for (const TarMember& m : members) {
    std::string content(m.bytes, '\0');
    archive->read(m.offset, std::as_writable_bytes(std::span(content)));
    listed.push_back({m.name, content});
  }
  return listed;
}

const std::string kLongName = std::string(150, 'n') + "/" + std::string(120, 'm') + ".jpg";

TEST(Tar, EveryDialectSaysWhereContentsLie) {
  const TempDir directory;
  for (const char* format : {"ustar", "gnutar", "pax", "v7tar"}) {
    for (const char* filter : {"", "gzip", "xz", "zstd"}) {
      const auto path = directory / fmt::format("{}{}.tar", format, filter);
      std::vector<Listed> expected{{"a/one.jpg", std::string(513, '1')}, {"b.txt", ""}};
      if (std::string_view(format) != "v7tar" && std::string_view(format) != "ustar") {
        expected.push_back({kLongName, "long"});
      }
      expected.push_back({"c", std::string(200'000, 'c')});
      ArchiveFile file(path, format, filter);
      for (const Listed& member : expected) file.add(member.name, member.content);
      file.close();
      EXPECT_EQ(list(path), expected) << path;
    }
  }
}

// More than is kept of what is unpacked, asked for at once, at any place of it.
TEST(Tar, LongMembersOfPackedArchivesAreWhole) {
  const TempDir directory;
  std::vector<Listed> expected;
  for (std::size_t i = 0; i < 6; ++i) {
    std::string content(1'100'000 + i * 700'000, '\0');
    std::uint32_t state = 1 + static_cast<std::uint32_t>(i);
    for (char& c : content) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    expected.push_back({fmt::format("{}.png", i), content});
  }
  for (const char* filter : {"", "gzip", "zstd"}) {
    ArchiveFile file(directory / "long.tar", "ustar", filter);
    for (const Listed& member : expected) file.add(member.name, member.content);
    file.close();
    EXPECT_TRUE(list(directory / "long.tar") == expected) << filter;
  }
}

TEST(Tar, ArchivesWithinAreFolders) {
  const TempDir directory;
  for (const char* filter : {"", "gzip"}) {
    std::vector<std::string> inner;
    for (int i = 0; i < 3; ++i) {
      ArchiveFile file(directory / "inner.tar", "ustar", "");
      file.add(fmt::format("{}.jpg", i), std::string(70'000, static_cast<char>('0' + i)));
      file.close();
      inner.push_back(test::read_whole(directory / "inner.tar"));
    }
    ArchiveFile outer(directory / "outer.tar", "ustar", filter);
    for (int i = 0; i < 3; ++i)
      outer.add(fmt::format("./n{}.tar", i), inner[static_cast<std::size_t>(i)]);
    outer.add("readme", "text");
    outer.close();
    EXPECT_EQ(list(directory / "outer.tar"),
              (std::vector<Listed>{{"n0/0.jpg", std::string(70'000, '0')},
                                   {"n1/1.jpg", std::string(70'000, '1')},
                                   {"n2/2.jpg", std::string(70'000, '2')},
                                   {"readme", "text"}}));
  }
}

// Of joined archives only the first was read, without a word.
TEST(Tar, WhatGoesOnBehindItsEndIsRefused) {
  const TempDir directory;
  for (const char* filter : {"", "gzip"}) {
    for (const char* name : {"a", "b"}) {
      ArchiveFile file(directory / name, "ustar", filter);
      file.add(name + std::string(".jpg"), std::string(70'000, *name));
      file.close();
    }
    const std::string a = test::read_whole(directory / "a"), b = test::read_whole(directory / "b");
    test::write_whole(directory / "ab.tar", a + b);
    EXPECT_ERROR(list(directory / "ab.tar"), DataError, "ab.tar: goes on behind the end",
                 "joined with cat?");
    ArchiveFile outer(directory / "outer.tar", "ustar", "");
    if (*filter != '\0') continue;
    outer.add("in.tar", a + b);
    outer.close();
    EXPECT_ERROR(list(directory / "outer.tar"), DataError, "outer.tar:in/: goes on behind");
    test::write_whole(directory / "a.tar", a + std::string(1 << 17, '\0'));  // of a tape's blocks
    EXPECT_EQ(list(directory / "a.tar").size(), 1u);
  }
}

TEST(Tar, ContentWhileListing) {
  const TempDir directory;
  ArchiveFile file(directory / "a.tar.gz", "ustar", "gzip");
  file.add("x.cls", "17");
  file.add("x.jpg", "...");
  file.close();
  std::string content;
  const auto archive = Archive::open(directory / "a.tar.gz");
  for_each_tar_member(*archive, [&](const TarMember& m, const auto& read) {
    if (m.name == "x.cls") content = read();
  });
  EXPECT_EQ(content, "17");
}

// They have no content of their own, or not all of it.
TEST(Tar, LinksSayWhereTheyLeadAndHolesAreRefused) {
  const TempDir directory;
  ArchiveFile file(directory / "a.tar", "pax", "");
  file.add("one.jpg", "content");
  file.add_link("two.jpg", "one.jpg");
  file.close();
  std::vector<std::string> links;
  for_each_tar_member(*Archive::open(directory / "a.tar"),
                      [&](const TarMember& m, const auto&) { links.push_back(m.link); });
  EXPECT_EQ(links, (std::vector<std::string>{"", "one.jpg"}));
  ArchiveFile sparse(directory / "s.tar", "pax", "");
  sparse.add_sparse("one.jpg", std::string(70'000, 'x'));
  sparse.close();
  EXPECT_ERROR(list(directory / "s.tar"), DataError, "s.tar:one.jpg: is stored with holes");
}

TEST(Tar, ArchivesWithinArchivesEndSomewhere) {
  const TempDir directory;
  std::string content = "x", name = "x.jpg";
  for (int depth = 0; depth < 6; ++depth) {
    ArchiveFile file(directory / "a.tar", "ustar", "");
    file.add(name, content);
    file.close();
    name = "a.tar";
    content = test::read_whole(directory / "a.tar");
    if (depth < 5) {
      EXPECT_EQ(list(directory / "a.tar").size(), 1u) << depth;
    } else {
      EXPECT_ERROR(list(directory / "a.tar"), DataError, "more than 4 archives within each other");
    }
  }
}

TEST(Tar, DamagedArchivesAreRefused) {
  const TempDir directory;
  ArchiveFile file(directory / "a.tar", "ustar", "");
  file.add("one.jpg", std::string(5000, '1'));
  file.add("two.jpg", std::string(5000, '2'));
  file.close();
  const std::string good = test::read_whole(directory / "a.tar");
  const auto listing = [&](const std::string& content) {
    test::write_whole(directory / "b.tar", content);
    return list(directory / "b.tar");
  };
  EXPECT_EQ(listing(good).size(), 2u);
  EXPECT_ERROR(listing(good.substr(0, 3000)), DataError, "b.tar:one.jpg", "cut off", "5000 bytes");
  EXPECT_ERROR(listing(good.substr(0, 512 + 5120 + 100)), DataError, "b.tar");
  EXPECT_ERROR(listing("no archive at all, but some text that goes on for a while"), DataError,
               "b.tar: is no whole tar archive");
  std::string damaged = good;
  damaged[512 + 5120 + 3] ^= 1;  // in the name of the second
  EXPECT_ERROR(listing(damaged), DataError, "b.tar");
  ArchiveFile packed(directory / "c.tar.gz", "ustar", "gzip");
  packed.add("one.jpg", good);
  packed.close();
  const std::string cut = test::read_whole(directory / "c.tar.gz");
  EXPECT_ERROR(listing(cut.substr(0, cut.size() / 2)), DataError, "b.tar");
}

}  // namespace
}  // namespace edt::data
