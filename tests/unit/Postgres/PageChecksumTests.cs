using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Postgres.Files;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

public sealed class PageChecksumTests
{
    private const int PageSize = PageHeader.DefaultPageSize;
    private const int BlocksPerSegment = 131072;

    [Fact]
    public async Task Every_page_of_a_real_cluster_has_the_computed_checksum()
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync();
        await cluster.RunToolAsync("pgbench", "-i", "-q", "-s", "2");
        await cluster.RunToolAsync("pgbench", "-c", "2", "-t", "300");
        await cluster.ExecuteAsync("CREATE UNLOGGED TABLE u AS SELECT generate_series(1, 5000) AS i; CREATE INDEX ON u USING gist (point(i, i))");
        await cluster.StopAsync();
        await cluster.RunToolAsync("pg_checksums", "--check", "-D", cluster.DataDirectory);

        ControlFile control = await ControlFile.ReadAsync(cluster.DataDirectory, CancellationToken.None);
        PageVerifier verifier = new(control.HasDataChecksums, control.CheckpointLsn + 1_000_000_000);
        int pages = 0;
        foreach ((RelationPath path, byte[] content) in RelationFiles(cluster.DataDirectory))
        {
            Assert.Equal(0, content.Length % PageSize);
            for (uint block = 0; block < content.Length / PageSize; block++)
            {
                ReadOnlySpan<byte> page = content.AsSpan((int)block * PageSize, PageSize);
                uint number = path.FirstBlock(control.BlocksPerSegment) + block;
                PageHeader header = new(page);
                PageVerdict verdict = verifier.Verify(page, number, control.CheckpointLsn + 1000);
                if (header.IsNew)
                {
                    Assert.Equal(PageVerdict.New, verdict);
                    continue;
                }
                Assert.Equal(PageVerdict.Valid, verdict);
                Assert.Equal(header.Checksum, PageChecksum.Compute(page, number));
                Assert.Equal(PageSize, header.PageSize);
                Assert.Equal(4, header.LayoutVersion);
                pages++;
            }
        }
        Assert.True(pages > 3000, $"only {pages} pages were seen");
    }

    [Fact]
    public void All_vector_widths_give_the_same_sum() => Prop.ForAll(
        ArbMap.Default.ArbFor<int>(),
        seed =>
        {
            byte[] page = new byte[PageSize];
            new System.Random(seed).NextBytes(page);
            uint expected = Scalar(page);
            return PageChecksum.Sum512(page) == expected && PageChecksum.Sum256(page) == expected && PageChecksum.Sum128(page) == expected;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_checksum_field_itself_does_not_count()
    {
        byte[] page = SomePage(lsn: 0x10_0000_2000, block: 3);
        ushort before = PageChecksum.Compute(page, 3);
        page[8] ^= 0xFF;
        page[9] ^= 0xFF;
        Assert.Equal(before, PageChecksum.Compute(page, 3));
        page[10] ^= 1;
        Assert.NotEqual(before, PageChecksum.Compute(page, 3));
    }

    [Fact]
    public void Verdicts_follow_the_rule_of_the_backup()
    {
        Lsn start = new(0x2000_0000), end = new(0x3000_0000);
        PageVerifier verifier = new(hasChecksums: true, start);

        Assert.Equal(PageVerdict.New, verifier.Verify(new byte[PageSize], 0, end));
        Assert.Equal(PageVerdict.Valid, verifier.Verify(SomePage(0x1000_0000, 5), 5, end));
        Assert.Equal(PageVerdict.ChecksumMismatch, verifier.Verify(SomePage(0x1000_0000, 5), 6, end));
        Assert.Equal(PageVerdict.ChecksumMismatch, verifier.Verify(SomePage(1, 5), 6, end));
        Assert.Equal(PageVerdict.ChecksumMismatch, verifier.Verify(SomePage(start.Value, 5), 6, end));
        Assert.Equal(PageVerdict.BeingWritten, verifier.Verify(SomePage(start.Value + 1, 5), 6, end));
        Assert.Equal(PageVerdict.BeingWritten, verifier.Verify(SomePage(0, 5), 6, end));
        Assert.Equal(PageVerdict.Valid, verifier.Verify(SomePage(end.Value, 5), 5, end));
        Assert.Equal(PageVerdict.BeyondWalEnd, verifier.Verify(SomePage(end.Value + 1, 5), 5, end));
        Assert.Equal(PageVerdict.Valid, new PageVerifier(hasChecksums: false, start).Verify(SomePage(0x1000_0000, 5), 6, end));
        byte[] halfNew = new byte[PageSize];
        halfNew[PageSize - 1] = 1;
        Assert.Equal(PageVerdict.NewButNotZero, verifier.Verify(halfNew, 0, end));
        Assert.True(PageVerifier.IsDamage(PageVerdict.NewButNotZero));
        Assert.False(PageVerifier.IsDamage(PageVerdict.BeingWritten));
    }

    [Fact]
    public void Header_is_valid_by_wal_g_rules()
    {
        Assert.True(new PageHeader(SomePage(1, 0)).IsValid);
        Assert.False(new PageHeader(SomePage(0, 0)).IsValid);
        Assert.False(new PageHeader(new byte[PageSize]).IsValid);
        byte[] page = SomePage(1, 0);
        page[11] = 1;
        Assert.False(new PageHeader(page).IsValid);
    }

    private static byte[] SomePage(ulong lsn, uint block)
    {
        byte[] page = new byte[PageSize];
        new System.Random(7).NextBytes(page);
        BinaryPrimitives.WriteUInt32LittleEndian(page, (uint)(lsn >> 32));
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(4), (uint)lsn);
        ushort[] fields = [0, 0, 100, 4000, PageSize, PageSize | 4];
        for (int i = 0; i < fields.Length; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(8 + (2 * i)), fields[i]);
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(8), PageChecksum.Compute(page, block));
        return page;
    }

    // The algorithm word by word, without vectors.
    private static uint Scalar(byte[] page)
    {
        byte[] copy = [.. page];
        copy[8] = copy[9] = 0;
        uint[] sums =
        [
            0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
            0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
            0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
            0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
        ];
        uint result = 0;
        for (int lane = 0; lane < 32; lane++)
        {
            for (int row = 0; row < (PageSize / 128) + 2; row++)
            {
                uint value = row < PageSize / 128 ? BinaryPrimitives.ReadUInt32LittleEndian(copy.AsSpan((row * 128) + (lane * 4))) : 0;
                uint mixed = sums[lane] ^ value;
                sums[lane] = unchecked((mixed * 16777619) ^ (mixed >> 17));
            }
            result ^= sums[lane];
        }
        return result;
    }

    private static IEnumerable<(RelationPath Path, byte[] Content)> RelationFiles(string dataDirectory)
    {
        foreach (string file in Directory.EnumerateFiles(dataDirectory, "*", SearchOption.AllDirectories))
        {
            RelationPath path = RelationPath.Classify(Path.GetRelativePath(dataDirectory, file));
            if (path.Kind == DataFileKind.Relation)
                yield return (path, File.ReadAllBytes(file));
        }
    }
}
