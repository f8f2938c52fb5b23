using PgBackup.Backup;
using PgBackup.Configuration;
using PgBackup.Errors;

namespace PgBackup.Tests.Backup.Deltas;

public sealed class DeltaRequestTests
{
    [Theory]
    [InlineData(null, null, null, null, "Full 6 Latest")]
    [InlineData("4", null, null, null, "Auto 4 Latest")]
    [InlineData("0", null, null, null, "Full 0 Latest")]
    [InlineData("4", "Full", null, null, "Full 4 Latest")]
    [InlineData("4", null, null, "0", "Full 0 Latest")]
    [InlineData(null, null, null, "3", "Auto 3 Latest")]
    [InlineData(null, "Auto", null, null, "Auto 6 Latest")]
    [InlineData("0", "Auto", null, null, "Auto 0 Latest")]
    [InlineData(null, null, "base_x", null, "Delta 6 Latest")]
    [InlineData("2", "Auto", "base_x", null, "Auto 2 Latest")]
    public void TheTypeFollowsFromWhatIsSaid(string? environment, string? type, string? from, string? steps, string expected)
    {
        DeltaRequest request = DeltaRequest.Resolve(
            Settings(environment, null), type is null ? null : Enum.Parse<BackupTypeRequest>(type), from, steps is null ? null : int.Parse(steps), null);
        Assert.Equal(expected, $"{request.Type} {request.MaxSteps} {request.Origin}");
        Assert.Equal(from, request.From);
    }

    [Fact]
    public void TheOriginIsReadAsWalgWritesIt()
    {
        Assert.Equal(DeltaOrigin.LatestFull, DeltaRequest.Resolve(Settings("3", "LATEST_FULL"), null, null, null, null).Origin);
        Assert.Equal(DeltaOrigin.Latest, DeltaRequest.Resolve(Settings("3", "LATEST_FULL"), null, null, null, DeltaOrigin.Latest).Origin);
        PgBackupException error = Assert.Throws<PgBackupException>(() => Settings("3", "NEWEST"));
        Assert.Equal("SettingInvalid", error.Id);
        Assert.Contains("WALG_DELTA_ORIGIN", error.Message, StringComparison.Ordinal);
        Assert.Equal("SettingInvalid", Assert.Throws<PgBackupException>(() => Settings("many", null)).Id);
    }

    [Fact]
    public void AFullBackupHasNoParent() => Assert.Equal(
        "SettingInvalid", Assert.Throws<PgBackupException>(() => DeltaRequest.Resolve(Settings(null, null), BackupTypeRequest.Full, "base_x", null, null)).Id);

    private static RepositorySettings Settings(string? steps, string? origin) => RepositorySettings.Resolve(
        new RepositoryArguments { Repository = "/tmp/x" },
        name => name switch { "WALG_DELTA_MAX_STEPS" => steps, "WALG_DELTA_ORIGIN" => origin, _ => null },
        machineFolder: "/nowhere");
}
