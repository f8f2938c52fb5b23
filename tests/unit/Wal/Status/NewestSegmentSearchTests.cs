using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>The newest segment is found by asking for names, and few of them.</summary>
public sealed class NewestSegmentSearchTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0, 2999, 2999, 3000)]   // Up to date.
    [InlineData(0, 2999, 2990, 3000)]   // Read ahead.
    [InlineData(0, 2999, 10, 3000)]     // The archiver stopped long ago, a receiver goes on.
    [InlineData(0, 2999, null, 3000)]   // Streaming, or statistics that were reset.
    [InlineData(0, 1200, null, 3000)]   // Long behind.
    [InlineData(0, 1200, 1300, 3000)]   // What was archived last is not there.
    [InlineData(2900, 2999, null, 3000)]
    public async Task AnArchiveWithoutGapsTakesADozenQuestions(int first, int last, int? archived, int current)
    {
        BackupRepository repository = Make(Enumerable.Range(first, last - first + 1));
        var search = new NewestSegmentSearch(repository, ServerAt(current, archived));
        ArchivedWalFile? found = await search.FindAsync(CancellationToken.None);
        Assert.Equal(Name(last), found!.Value.File.Name);
        Assert.InRange(search.Questions, 1, 32);
    }

    [Fact]
    public async Task AnArchiveWithGapsIsSearchedFromWhatWasArchivedLast()
    {
        BackupRepository repository = Make([1, 2, 3, 5, 6]);
        Assert.Equal(Name(6), (await new NewestSegmentSearch(repository, ServerAt(8, 5)).FindAsync(CancellationToken.None))!.Value.File.Name);
        Assert.Equal(Name(6), (await new NewestSegmentSearch(repository, ServerAt(8, 7)).FindAsync(CancellationToken.None))!.Value.File.Name);
        // A gap right behind ends it.
        Assert.Equal(Name(3), (await new NewestSegmentSearch(repository, ServerAt(8, 3)).FindAsync(CancellationToken.None))!.Value.File.Name);
    }

    [Fact]
    public async Task WhereNoNameIsThereTheArchiveIsListed()
    {
        Assert.Null(await new NewestSegmentSearch(Make([]), ServerAt(8, 7)).FindAsync(CancellationToken.None));
        // Another cluster's, far behind this server's end.
        Assert.Equal(Name(9), (await new NewestSegmentSearch(Make([9]), ServerAt(8, 3)).FindAsync(CancellationToken.None))!.Value.File.Name);
        Assert.Null(await new NewestSegmentSearch(Make([5]), ServerAt(8, 3) with { Timeline = new TimelineId(2) }).FindAsync(CancellationToken.None));
    }

    private static string Name(int number) => WalSegmentName.Of(TimelineId.First, (ulong)number, WalSegmentSize.Default).ToString();

    private static ServerFacts ServerAt(int current, int? archived) => StatusSamples.Server with
    {
        CurrentLsn = WalSegmentSize.Default.StartOf((ulong)current) + 100,
        Archiver = StatusSamples.Server.Archiver with { LastArchived = archived is { } number ? Name(number) : null },
    };

    private BackupRepository Make(IEnumerable<int> numbers)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine(Guid.NewGuid().ToString("N")));
        string folder = Path.Combine(repository.Location, RepositoryLayout.WalFolder);
        Directory.CreateDirectory(folder);
        foreach (int number in numbers)
            File.WriteAllBytes(Path.Combine(folder, Name(number) + ".zst"), []);
        return repository;
    }
}
