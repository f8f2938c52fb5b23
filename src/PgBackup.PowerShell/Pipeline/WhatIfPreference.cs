using System.Management.Automation;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>Whether a cmdlet only tells what it would do: then it need not keep others waiting by taking a lease.</summary>
internal static class WhatIfPreference
{
    /// <summary>True under <c>-WhatIf</c> or <c>$WhatIfPreference</c>. Pipeline's thread only.</summary>
    public static bool IsWhatIf(this PSCmdlet cmdlet)
    {
        object? value = cmdlet.MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? given) ? given : cmdlet.GetVariableValue("WhatIfPreference");
        return value is true or SwitchParameter { IsPresent: true };
    }
}
