using PgBackup.Backup.Reading;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

public sealed class DataDirectoryWalkerTests
{
    [Fact]
    public void ALinkToItselfLeadsNowhere()
    {
        using var folder = new TempFolder();
        File.CreateSymbolicLink(folder.Combine("loop"), "loop");
        File.WriteAllText(folder.Combine("file"), "x");
        var log = new RecordingLog();
        Assert.Equal(["/", "/file"], new DataDirectoryWalker(folder.Path, log).Walk().Select(e => e.MemberName));
        Assert.Contains("leads nowhere", Assert.Single(log.Of(LogLevel.Warning)), StringComparison.Ordinal);
    }
}
